import { doneWords } from "@pixii/planner";
import type { ModelView, PlanView } from "@pixii/planner";
import { countsText, moveText, recordWords } from "@pixii/planner/core";
import type { PlanRecord, ReplayResult } from "@pixii/planner/core";
import { formatDuration } from "@pixii/runtime";
import type { PlanOrder } from "@pixii/wire";

/** Differences that are told one by one. */
const mostDifferences = 10;

/** What one planner thinks now. `model`: only this one. */
export function nowLines(view: PlanView, model: string): string[] {
  const { by, acts, leads, budgetGpus, problems, orders, models } = view;
  const does = !acts
    ? "watches and moves nothing (--mode act lets it)"
    : leads
    ? "acts"
    : "stands by: another planner acts";
  const shown = Object.entries(models).filter(([, { name }]) => model === "" || name === model);
  return [
    `planner ${by} ${does}`,
    `budget: ${budgetGpus} GPUs for all models`,
    ...(problems.length === 0 ? [] : ["problems:", ...problems.map((one) => `  ${one}`)]),
    ...(orders.length === 0 ? [] : ["orders in force:"]),
    ...orders.map((order) => `  ${order.id}: ${orderText(order)}`),
    ...(shown.length === 0 ? ["no model: no worker and no frontend has said anything"] : []),
    ...shown.flatMap(([hash, one]) => modelLines(hash, one)),
  ];
}

function modelLines(hash: string, { name, lean, plan }: ModelView): string[] {
  const title = `model ${name ?? hash}`;
  if (plan === undefined) {
    return [`${title}: no decision yet`, `  leans to ${lean.direction}: ${lean.reason}`];
  }
  const { record } = plan;
  return [
    `${title}: decision ${record.id}`,
    ...[...recordWords(record), ...doneWords(plan)].map((line) => `  ${line}`),
  ];
}

/** An order: `pin of m to 1 prefill + 3 decode until 12:10:00 (1h): debugging (alice)`. */
export function orderText(order: PlanOrder): string {
  const { kind, model, counts, move, instance, decision, reason, by, givenAt, forMs } = order;
  const until = Date.parse(givenAt) + forMs;
  const end = Number.isFinite(until) ? ` until ${new Date(until).toISOString()}` : "";
  const of = model === undefined ? "all models" : model;
  const to = counts === undefined ? "" : countsText(counts);
  const what = kind === "pause"
    ? `pause of ${of}`
    : kind === "pin"
    ? `pin of ${of} to ${to}`
    : decision !== undefined
    ? `veto of decision ${decision}: not to ${to} for ${of}`
    : `veto of ${move === undefined ? "any move" : `every ${move}`} of ${
      instance === undefined ? of : `worker ${instance}`
    }`;
  return `${what}${end} (${formatDuration(forMs)}): ${reason} (${by})`;
}

/** What the planner would decide now. `isExact`: by a core that has seen all that the planner's has. */
export function dryRunLines(
  records: readonly PlanRecord[],
  { by, isExact }: { readonly by: string; readonly isExact: boolean },
): string[] {
  const how = isExact
    ? "by a copy of its core"
    : "by a core that sees only what is there now: it does not know what came before (--history-replay SIZE keeps more)";
  if (records.length === 0) return [`planner ${by} would decide nothing now: it plans no model`];
  return [
    `what planner ${by} would decide now, ${how}:`,
    ...records.flatMap((record) => [
      `model ${record.model}: ${
        record.moves.length === 0
          ? "no move"
          : record.moves.map((move) => `would ${moveText(move)}`).join(", ")
      }`,
      ...recordWords(record).map((line) => `  ${line}`),
    ]),
  ];
}

/** What came of making decisions again. */
export function replayLines({ steps, equal, different, missing }: ReplayResult): string[] {
  const all = equal + different.length;
  const lines = different.length === 0
    ? [`Made again: ${steps} steps; ${equal} kept records, all equal, bit for bit.`]
    : [`Made again: ${steps} steps; ${different.length} of ${all} kept records are different`];
  return [
    ...lines,
    ...different.slice(0, mostDifferences).map(({ by, id, what }) =>
      `  decision ${by}.${id}: ${what}`
    ),
    ...(different.length > mostDifferences
      ? [`  and ${different.length - mostDifferences} more`]
      : []),
    ...(missing === 0 ? [] : [
      `${missing} kept records could not be made again: what they were made from, from the planner's beginning on, is not there`,
    ]),
  ];
}
