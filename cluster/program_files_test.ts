import assert from "node:assert/strict";
import { plannerFiles, routerFiles } from "./program_files.ts";

Deno.test("routerFiles() names what a router writes, in both spellings, and nothing else", () => {
  assert.deepEqual(routerFiles(["--policy", "kv", "--snapshot-file", "/d/a", "--x=/b"]), [
    ...["/d/a", "/d/a.new"],
  ]);
  assert.deepEqual(routerFiles(["--decisions-file=/d/a=b"]), ["/d/a=b", "/d/a=b.1"]);
  assert.deepEqual(routerFiles(["--snapshot-file", ""]), []);
  assert.deepEqual(routerFiles(["--snapshot-file"]), []);
});

Deno.test("plannerFiles() lets a planner read its profiles, and write its history and the older part", () => {
  const args = ["--profiles", "/p/a", "--history-file=/h/x", "--profiles=/p/b", "--mode", "act"];
  assert.deepEqual(plannerFiles(args), {
    read: ["/p/a", "/p/b", "/h/x", "/h/x.1"],
    write: ["/h/x", "/h/x.1"],
  });
  assert.deepEqual(plannerFiles(["--mode", "watch"]), { read: [], write: [] });
});
