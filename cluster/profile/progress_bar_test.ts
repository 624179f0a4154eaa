import assert from "node:assert/strict";
import { ProgressBar } from "./progress_bar.ts";

Deno.test("ProgressBar prints a line per ten percent where there is no terminal", () => {
  const lines: string[] = [];
  const bar = new ProgressBar({ write: (text) => lines.push(text), isTerminal: false, total: 40 });
  for (let i = 0; i < 50; i++) bar.advance(1, `point ${i}`);
  bar.end();
  assert.equal(lines.length, 10);
  assert.equal(lines[0], " 10% point 3\n");
  assert.equal(lines[9], "100% point 39\n");
});

Deno.test("ProgressBar redraws one line on a terminal", () => {
  let text = "";
  const bar = new ProgressBar({ write: (more) => text += more, isTerminal: true, total: 2 });
  bar.advance(1, "a");
  bar.advance(1, "b");
  bar.end();
  const line = (full: number) => `\r\x1b[2K${"█".repeat(full)}${"░".repeat(30 - full)}`;
  assert.equal(text, `${line(15)}  50% a${line(30)} 100% b\n`);
});
