import assert from "node:assert/strict";
import { type ReadyFacts, ReadyFile } from "./ready_file.ts";

const facts: ReadyFacts = {
  url: "http://127.0.0.1:8000",
  topology: "one",
  pid: 1,
  namespace: "dev",
  nats: "unix:/x",
  etcd: "unix:/x",
  models: ["tiny"],
  processes: [{ service: "router", instance: "0".repeat(16), pid: 1, admin: "http://127.0.0.1:1" }],
};

Deno.test("ReadyFile is gone before and after, and replaced as a whole between", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/ready.json`;
  await Deno.writeTextFile(path, "from an earlier run");
  const file = new ReadyFile(path);
  await file.clear();
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  await Promise.all([file.write(facts), file.write({ ...facts, pid: 2 })]);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(path)), { ...facts, pid: 2 });
  assert.equal([...Deno.readDirSync(folder)].length, 1);
  await file.clear();
  await file.clear();
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  await Deno.remove(folder);
});
