import assert from "node:assert/strict";
import { serviceNames } from "@pixii/wire";
import { compileArgs, memberOf } from "./compile_args.ts";
import { standaloneFlags } from "./permissions.ts";

Deno.test("compileArgs() gives every service its own permissions and a main that exists", () => {
  for (const service of serviceNames) {
    const args = compileArgs(service, { out: "dist" });
    for (const flag of standaloneFlags(service)) assert.ok(args.includes(flag), flag);
    assert.ok(args.includes(`dist/pixii-${service}`));
    assert.equal(args.at(-1), `${memberOf(service)}/main.ts`);
    const main = new URL(`../${args.at(-1)}`, import.meta.url);
    assert.ok(Deno.statSync(main).isFile);
    args.forEach((arg, at) => {
      if (arg !== "--include") return;
      const { isFile, isDirectory } = Deno.statSync(new URL(`../${args[at + 1]}`, import.meta.url));
      assert.ok(isFile || isDirectory, args[at + 1]);
    });
  }
});

Deno.test("compileArgs() names the target where one is asked for", () => {
  const args = compileArgs("router", { out: "x", target: "aarch64-unknown-linux-gnu" });
  assert.equal(args[args.indexOf("--target") + 1], "aarch64-unknown-linux-gnu");
});
