import assert from "node:assert/strict";
import { jsonFlag, readFlags } from "./flags.ts";

const about = {
  ...{ task: "bench:x", summary: "Measures x." },
  specs: {
    json: jsonFlag,
    rounds: { kind: "number", help: "Runs.", fallback: 3 },
    peer: { kind: "text", help: "Who runs beside." },
  },
} as const;

Deno.test("readFlags() gives typed values with their defaults", () => {
  assert.deepEqual(readFlags([], about), {
    kind: "run",
    values: { json: false, rounds: 3, peer: undefined },
  });
  assert.deepEqual(readFlags(["--json", "--rounds", "7", "--peer=a"], about), {
    kind: "run",
    values: { json: true, rounds: 7, peer: "a" },
  });
});

Deno.test("readFlags() says what is wrong in one line, and lists all with --help", () => {
  for (const args of [["--what"], ["--rounds", "0"], ["--rounds", "x"], ["--peer"], ["word"]]) {
    const read = readFlags(args, about);
    assert.equal(read.kind, "wrong", args.join(" "));
    if (read.kind === "wrong") assert.ok(!read.text.includes("\n"), read.text);
  }
  const help = readFlags(["--help"], about);
  assert.equal(help.kind, "help");
  if (help.kind === "help") assert.match(help.text, /--rounds N +Runs\. \(default 3\)/);
});
