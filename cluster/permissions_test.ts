import assert from "node:assert/strict";
import { type ServiceName, serviceNames } from "@pixii/wire";
import { hostOf, permissionFlags, standaloneFlags } from "./permissions.ts";
import rootFile from "../deno.json" with { type: "json" };

const needs = { nats: "nats://127.0.0.1:4222", etcd: "http://[::1]:2379" };
const bound: readonly ServiceName[] = ["frontend", "router", "planner"];

Deno.test("permissionFlags() gives a bound program only its hosts, names and files", () => {
  for (const service of bound) {
    const flags = permissionFlags(service, needs);
    assert.ok(flags.includes("--no-prompt"));
    assert.ok(flags.includes("--allow-net=127.0.0.1:4222,[::1]:2379,127.0.0.1:0"), `${flags}`);
    for (const flag of flags) {
      assert.ok(flag === "--no-prompt" || /^--allow-(net|env|sys|read)=./.test(flag), flag);
    }
  }
});

Deno.test("permissionFlags() lets a frontend listen and a worker load native code", () => {
  const frontend = permissionFlags("frontend", { ...needs, listen: ["0.0.0.0:8000"] });
  assert.ok(
    frontend.some((flag) => flag.startsWith("--allow-net=") && flag.includes("0.0.0.0:8000")),
  );
  const worker = permissionFlags("worker", { ...needs, write: ["/cache"] });
  assert.ok(worker.includes("--allow-ffi"));
  assert.ok(worker.includes("--allow-write=/cache"));
  assert.ok(!worker.includes("--allow-run") && !worker.includes("-A"));
});

Deno.test("permissionFlags() opens a Unix socket and nothing else of its folder", () => {
  const unix = { nats: "unix:/run/x.sock", etcd: "unix:/run/x.sock" };
  const flags = permissionFlags("router", unix);
  assert.ok(flags.includes("--allow-net=unix:/run/x.sock,127.0.0.1:0"), `${flags}`);
  assert.ok(flags.includes("--allow-write=/run/x.sock"), `${flags}`);
});

Deno.test("hostOf() knows the default ports", () => {
  assert.equal(hostOf("nats://bus.example"), "bus.example:4222");
  assert.equal(hostOf("http://10.0.0.1:2379"), "10.0.0.1:2379");
  assert.equal(hostOf("https://etcd.example"), "etcd.example:443");
});

Deno.test("the tasks of the root deno.json use the permissions of this table", () => {
  const tasks = rootFile.tasks as Record<string, string>;
  const folders = { worker: "workers" } as Record<string, string>;
  for (const service of serviceNames) {
    const words = tasks[service].replaceAll("'", "").split(" ");
    const main = `${folders[service] ?? service}/main.ts`;
    assert.deepEqual(words, ["deno", "run", ...standaloneFlags(service), main]);
  }
});
