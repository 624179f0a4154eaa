import assert from "node:assert/strict";
import type { Program } from "./stack.ts";

/** Base URL of a program's admin port, as its log says. */
export function adminOf(program: Program): string {
  const match = /"admin":"([^"]+)"/.exec(program.lines.join("\n"));
  assert.ok(match, program.lines.join("\n"));
  return match[1];
}

/** A counter or gauge of a program: the sum over the label sets that have `label`. */
export async function metricOf(program: Program, name: string, label = ""): Promise<number> {
  const text = await (await fetch(`${adminOf(program)}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
