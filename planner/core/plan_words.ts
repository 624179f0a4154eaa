import type { Counts } from "./capacity/need.ts";
import type { Mix } from "./capacity/service_goal.ts";
import type { PlanMove, PlanRecord } from "./plan_record.ts";

/** Workers by job: `1 prefill + 2 decode`, `3 both`, `none`. */
export function countsText({ prefill, decode, both }: Counts): string {
  const split = prefill + decode === 0 ? [] : [`${prefill} prefill + ${decode} decode`];
  return [...split, ...(both === 0 ? [] : [`${both} both`])].join(" + ") || "none";
}

/** One move: `flip 0000000000000001.0 from decode to prefill`. */
export function moveText(move: PlanMove): string {
  if (move.kind === "start") return `start a worker (${move.role})`;
  const worker = `${move.rank.instance}.${move.rank.dpRank}`;
  if (move.kind === "stop") return `stop ${worker} (${move.role})`;
  return `flip ${worker} from ${move.from} to ${move.to}`;
}

/** What is asked: `3.20 requests/s of 812 prompt tokens, 402 of them to compute, and 120 output tokens`. */
export function mixText({ rate, isl, newTokens, osl }: Mix): string {
  const [prompt, computed, output] = [isl, newTokens, osl].map((one) => Math.round(one));
  const cached = computed === prompt ? "" : `, ${computed} of them to compute,`;
  return `${rateText(rate)} of ${prompt} prompt tokens${cached} and ${output} output tokens`;
}

/** `3.20 requests/s`. */
export function rateText(rate: number): string {
  return `${rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3)} requests/s`;
}

/** What is foretold: `3.50 requests/s in 65 s by holt-winters, of late 12 % off`. */
export function forecastText(
  { name, rate, error, aheadMs }: NonNullable<PlanRecord["forecast"]>,
): string {
  const off = error === undefined ? "its error is not known yet" : `of late ${percent(error)} off`;
  return `${rateText(rate)} in ${Math.round(aheadMs / 1000)} s by ${name}, ${off}`;
}

/** One decision with everything that it was made from, a line each. */
export function recordWords(record: PlanRecord): string[] {
  const { now, forecast, planned, have, want, candidates, bound, moves, expectedRate } = record;
  const asked = now === undefined ? "not known" : mixText(now);
  return [
    `asked: ${asked}`,
    `forecast: ${forecast === undefined ? "none yet" : forecastText(forecast)}`,
    ...(planned === undefined ? [] : [`planned for: ${rateText(planned.rate)}`]),
    `there is: ${countsText(have)}; wanted: ${countsText(want)}`,
    ...(planned === undefined
      ? []
      : candidates.map(({ name, counts, goodput }) =>
        `${candidateNames[name]}: ${countsText(counts)}, would serve ${percent(goodput)} of it`
      )),
    ...(bound === "" ? [] : [`bound by: ${bound}`]),
    ...(moves.length === 0 ? ["moves: none"] : moves.map((move) => `move: ${moveText(move)}`)),
    ...(expectedRate === 0 ? [] : [`expected: ${rateText(expectedRate)} within the goal`]),
    ...outcomeWords(record),
  ];
}

const candidateNames = {
  keep: "as it is",
  need: "what it takes",
  budget: "what the budget allows",
} as const;

/** What came of a decision; empty where that is not known yet. */
function outcomeWords({ atMs, outcome }: PlanRecord): string[] {
  if (outcome === undefined) return [];
  const seconds = Math.round((outcome.atMs - atMs) / 1000);
  const ms = (value: number | undefined) =>
    value === undefined ? "unknown" : `${Math.round(value)} ms`;
  return [
    `after ${seconds} s: 95 of 100 first tokens within ${
      ms(outcome.ttftP95Ms)
    }, further ones within ${ms(outcome.itlP95Ms)}`,
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
