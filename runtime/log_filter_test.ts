import assert from "node:assert/strict";
import fc from "fast-check";
import { levelFor, logLevels, parseLogFilter } from "./log_filter.ts";

function rulesOf(text: string) {
  const parsed = parseLogFilter(text);
  assert.ok("rules" in parsed, JSON.stringify(parsed));
  return parsed.rules;
}

Deno.test("parseLogFilter() lets the longest target decide", () => {
  const rules = rulesOf("info,router=debug,frontend::http=trace,frontend::http::sse=off");
  assert.equal(levelFor(rules, ["planner"]), "info");
  assert.equal(levelFor(rules, ["router", "index"]), "debug");
  assert.equal(levelFor(rules, ["frontend"]), "info");
  assert.equal(levelFor(rules, ["frontend", "http", "body"]), "trace");
  assert.equal(levelFor(rules, ["frontend", "http", "sse"]), "off");
});

Deno.test("parseLogFilter() reads RUST_LOG's corner cases", () => {
  assert.equal(levelFor(rulesOf(""), ["router"]), "info");
  assert.equal(levelFor(rulesOf("router"), ["router"]), "trace");
  assert.equal(levelFor(rulesOf("router"), ["planner"]), "error");
  assert.equal(levelFor(rulesOf("WARN , router=DEBUG"), ["router"]), "debug");
  assert.equal(levelFor(rulesOf("warning"), ["router"]), "warn");
  assert.equal(levelFor(rulesOf("router=debug,router=error"), ["router"]), "error");
  assert.equal(levelFor(rulesOf("off"), ["router"]), "off");
});

Deno.test("parseLogFilter() says what is wrong and what was meant", () => {
  for (
    const [text, wanted] of [
      ["router=debgu", "did you mean debug?"],
      ["ifno", "did you mean info?"],
      ["router=info=x", "must be rules like"],
      ["a b=info", "must be rules like"],
      ["router::=info", "must be rules like"],
    ]
  ) {
    const parsed = parseLogFilter(text);
    assert.ok(
      "problem" in parsed && parsed.problem.includes(wanted),
      `${text}: ${JSON.stringify(parsed)}`,
    );
  }
});

Deno.test("parseLogFilter() gives rules or one problem for any text", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."ainfo=,:- ") })),
      (text) => {
        const parsed = parseLogFilter(text);
        if ("problem" in parsed) assert.ok(parsed.problem.length > 0);
        else assert.ok(logLevels.includes(levelFor(parsed.rules, ["router"])));
      },
    ),
  );
});

Deno.test("parseLogFilter() reads back every filter written from rules", () => {
  const target = fc.array(fc.constantFrom("router", "frontend", "http", "kv-x"), {
    minLength: 1,
    maxLength: 3,
  });
  const rule = fc.record({ target, level: fc.constantFrom(...logLevels) });
  fc.assert(fc.property(fc.array(rule, { minLength: 1, maxLength: 8 }), (rules) => {
    const parsed = rulesOf(rules.map((one) => `${one.target.join("::")}=${one.level}`).join(","));
    for (const { target } of rules) {
      const last = rules.findLast((one) => one.target.join() === target.join())!;
      assert.equal(levelFor(parsed, target), last.level);
    }
  }));
});
