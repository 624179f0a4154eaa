import assert from "node:assert/strict";
import { parseLogFilter } from "./log_filter.ts";
import { configureLog, openLog } from "./log_tape.ts";

function linesOf(filter: string, format: "human" | "json", use: () => void): string[] {
  const parsed = parseLogFilter(filter);
  assert.ok("rules" in parsed);
  const lines: string[] = [];
  configureLog(parsed.rules, { format, colour: false, write: (line) => lines.push(line) });
  use();
  configureLog([], { format, colour: false, write: () => {} });
  return lines;
}

Deno.test("openLog() writes one JSON object per line with level, target, message and fields", () => {
  const lines = linesOf("debug", "json", () => {
    openLog(["router"]).child("index").warn("gap {in} events\nhere", {
      owner: "ab",
      count: 3n,
      error: new Error("why"),
      message: "not this",
    });
  });
  assert.equal(lines.length, 1);
  assert.ok(lines[0].endsWith("\n") && !lines[0].slice(0, -1).includes("\n"));
  const line = JSON.parse(lines[0]);
  assert.equal(line.level, "warn");
  assert.equal(line.target, "router::index");
  assert.equal(line.message, "gap {in} events\nhere");
  assert.equal(line.owner, "ab");
  assert.equal(line.count, "3");
  assert.match(line.error, /why/);
  assert.ok(!Number.isNaN(Date.parse(line.ts)));
});

Deno.test("openLog() keeps a human line on one line", () => {
  const [line] = linesOf("info", "human", () => {
    openLog(["frontend"]).info("bad\nbody", { path: "/v1/x", text: "two words" });
  });
  assert.match(
    line,
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}frontend bad\\nbody path=\/v1\/x text="two words"\n$/,
  );
});

Deno.test("configureLog() filters as levels and targets say", () => {
  const lines = linesOf("warn,router=debug,frontend::http=trace,kvbm=off", "human", () => {
    openLog(["router"]).debug("1");
    openLog(["router"]).trace("no");
    openLog(["router", "index"]).debug("2");
    openLog(["frontend"]).info("no");
    openLog(["frontend", "http", "sse"]).trace("3");
    openLog(["kvbm"]).error("no");
    openLog(["planner"]).error("4");
  });
  assert.deepEqual(lines.map((line) => line.trimEnd().split(" ").at(-1)), ["1", "2", "3", "4"]);
});

Deno.test("openLog() survives fields that JSON cannot hold", () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  const lines = linesOf("info", "json", () => openLog(["router"]).info("loop", { loop }));
  assert.match(JSON.parse(lines[0]).unprintable, /circular/i);
});
