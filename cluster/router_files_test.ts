import assert from "node:assert/strict";
import { routerFiles } from "./router_files.ts";

Deno.test("routerFiles() names what a router writes, in both spellings, and nothing else", () => {
  assert.deepEqual(routerFiles(["--policy", "kv", "--snapshot-file", "/d/a", "--x=/b"]), [
    ...["/d/a", "/d/a.new"],
  ]);
  assert.deepEqual(routerFiles(["--decisions-file=/d/a=b"]), ["/d/a=b", "/d/a=b.1"]);
  assert.deepEqual(routerFiles(["--snapshot-file", ""]), []);
  assert.deepEqual(routerFiles(["--snapshot-file"]), []);
});
