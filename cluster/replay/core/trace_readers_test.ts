import assert from "node:assert/strict";
import { parseAzure } from "./azure_trace.ts";
import { parseMooncake } from "./mooncake_trace.ts";

const row = (more: Record<string, unknown> = {}) =>
  JSON.stringify({
    ...{ timestamp: 0, input_length: 1100, output_length: 5, hash_ids: [7, 8, 9] },
    ...more,
  });

function problem(result: ReturnType<typeof parseMooncake>): string {
  assert.ok(!result.ok);
  assert.equal(result.error.code, "invalid_request");
  return result.error.message;
}

Deno.test("parseMooncake() reads whole blocks; equal ids are equal hashes, others are not", () => {
  const text = `${row()}\n\n${row({ timestamp: 3000, output_length: 0, hash_ids: [7, 10, 11] })}\n`;
  const read = parseMooncake("t", text);
  assert.ok(read.ok);
  const [a, b] = read.value.requests;
  assert.deepEqual([a.atMs, a.inputTokens, a.outputTokens, a.list.lo.length], [0, 1100, 5, 2]);
  assert.deepEqual([b.atMs, b.outputTokens], [3000, 1]);
  assert.deepEqual([a.list.hi[0], a.list.lo[0]], [b.list.hi[0], b.list.lo[0]]);
  assert.notEqual(a.list.lo[1], b.list.lo[1]);
});

Deno.test("parseMooncake() names the line that is wrong, and how", () => {
  const bad: readonly (readonly [string, RegExp])[] = [
    ['{"timestamp": 0, "inp', /line 2: it is no JSON object/],
    ["[]", /line 2: timestamp must be/],
    [row({ timestamp: -1 }), /line 2: timestamp must be/],
    [row({ input_length: "9" }), /line 2: input_length must be/],
    [row({ output_length: -2 }), /line 2: input_length must be/],
    [row({ hash_ids: [1.5, -1] }), /line 2: hash_ids must be/],
    [row({ hash_ids: [1] }), /line 2: hash_ids has 1 blocks, input_length 1100 has 2/],
  ];
  for (const [line, pattern] of bad) {
    assert.match(problem(parseMooncake("t", `${row()}\n${line}\n`)), pattern);
  }
  assert.match(
    problem(parseMooncake("t", `${row({ timestamp: 5 })}\n${row()}`)),
    /line 2: its timestamp is before/,
  );
  assert.match(problem(parseMooncake("t", "\n")), /it is empty/);
});

Deno.test("parseAzure() reads arrivals and lengths; no prompts share a block", () => {
  const text = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n" +
    "2023-11-16 18:15:46.6805900,1200,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n";
  const read = parseAzure("t", text, 512);
  assert.ok(read.ok);
  const [a, b] = read.value.requests;
  assert.deepEqual([a.atMs, Math.round(b.atMs * 10), a.list.lo.length], [0, 43146, 2]);
  assert.deepEqual([b.inputTokens, b.outputTokens, b.list.lo.length], [396, 109, 0]);
});

Deno.test("parseAzure() names the line that is wrong, and how", () => {
  const head = "TIMESTAMP,ContextTokens,GeneratedTokens";
  const good = "2023-11-16 18:15:46.68,374,44";
  const of = (...lines: string[]) => problem(parseAzure("t", lines.join("\n"), 512));
  assert.match(of("a,b"), /line 1: it must be TIMESTAMP/);
  assert.match(of(head, good, "1,2"), /line 3: it has 2 cells/);
  assert.match(of(head, "yesterday,1,1"), /line 2: the time must be like/);
  assert.match(of(head, "2023-11-16 18:15:46,x,1"), /line 2: token counts/);
  assert.match(of(head, good, "2023-11-16 18:15:40,1,1"), /line 3: its time is before/);
  assert.match(of(head), /it is empty/);
});
