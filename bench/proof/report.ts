import { isProved } from "./proof.ts";
import type { ModeOutcome } from "./proof.ts";
import type { ProofPrompt } from "./prompts.ts";

/** The table of a proof, and under it what differs. */
export function proofReport(
  outcomes: readonly ModeOutcome[],
  prompts: readonly ProofPrompt[],
): readonly string[] {
  const rows = outcomes.map((one) => [
    one.mode,
    String(one.answers),
    String(one.identical),
    one.voiced === 0 ? "not asked" : `${one.bitIdentical} of ${one.voiced}`,
    one.usedTokens === Infinity ? "-" : String(one.usedTokens),
    one.mode === "monolithic" && one.failed === undefined
      ? "reference"
      : isProved(one)
      ? "proved"
      : "NOT PROVED",
  ]);
  const head = ["mode", "answers", "same tokens", "same log-probabilities", "tokens that way", ""];
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ");
  const notes = outcomes.flatMap((one) => {
    const said: string[] = [];
    if (one.failed !== undefined) said.push(`${one.mode}: ${one.failed}`);
    if (one.usedTokens === 0) said.push(`${one.mode}: nothing came that way (${one.about})`);
    if (one.first === undefined) return said;
    const { prompt, at, expected, got } = one.first;
    const { kind, temperature, text } = prompts[prompt];
    said.push(
      `${one.mode}: prompt ${prompt} (${kind}, temperature ${temperature}) differs at output token ${at}: ` +
        `expected ${expected}, got ${got}; it begins ${JSON.stringify(text.slice(0, 60))}`,
    );
    return said;
  });
  return [line(head), ...rows.map(line), ...notes];
}
