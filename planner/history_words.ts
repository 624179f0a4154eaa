import { countsText, moveText, recordWords } from "./core/plan_words.ts";
import type { HistoryLine, KeptPlan } from "./plan_history.ts";

/** One line of the history in a line for people. */
export function historyLine(line: HistoryLine): string {
  if (line.kind === "flip") {
    const { at, model, instance, to, state, reason } = line;
    const why = reason === undefined ? "" : ` (${reason})`;
    const what = state === "done" ? `is ${to} now` : `was to be ${to}: ${state}${why}`;
    return `${at} ${model ?? "?"}: worker ${instance} ${what}`;
  }
  const { at, by, record: { model, id } } = line;
  const name = `${at} ${model}: decision ${by}.${id}`;
  if (line.kind === "outcome") {
    const { outcome } = line.record;
    const ms = (value: number | undefined) => value === undefined ? "?" : String(Math.round(value));
    const came = `p95 first token ${ms(outcome?.ttftP95Ms)} ms, further ones ${
      ms(outcome?.itlP95Ms)
    } ms`;
    return `${name} came to ${came}${line.isDone ? "" : " (its moves were not made)"}`;
  }
  const { record: { loop, have, want, bound, moves } } = line;
  const bind = bound === "" ? "" : `; ${bound}`;
  if (moves.length === 0) {
    const isThere = countsText(have) === countsText(want);
    const wanted = isThere ? countsText(have) : `${countsText(have)}, wanted ${countsText(want)}`;
    return `${name} (${loop}) keeps ${wanted}${bind}`;
  }
  const does = line.mode === "act" ? "" : "would ";
  return `${name} (${loop}) ${does}${moves.map(moveText).join(", ")}: ${countsText(have)} -> ${
    countsText(want)
  }${bind}`;
}

/** One line of the history with everything that is known of it, for people. */
export function historyWords(line: HistoryLine): string[] {
  if (line.kind === "flip") return [historyLine(line)];
  const { at, by, record } = line;
  const head = `decision ${by}.${record.id} of ${record.model}, ${at}, ${record.loop} loop`;
  return [head, ...recordWords(record), ...(line.kind === "plan" ? doneWords(line) : [])];
}

/** What was done about a decision. */
export function doneWords(
  { mode, acts, record }: Pick<KeptPlan, "mode" | "acts" | "record">,
): string[] {
  if (record.moves.length === 0) return [];
  if (mode === "watch") return ["done: nothing, the planner watches (--mode act lets it)"];
  if (mode === "standby") return ["done: nothing, another planner acts"];
  return acts.map(({ actuator, ok, error }) =>
    ok ? `done: asked for by ${actuator}` : `not done by ${actuator}: ${error ?? "it failed"}`
  );
}
