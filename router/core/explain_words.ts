import { workerRankText } from "@pixii/wire";
import type { Candidate, DecisionReport, PolicyName, RankInputs } from "@pixii/wire";
import type { Flip } from "./decision_flip.ts";
import { weightsOf } from "./decision_change.ts";

/** What costs of a policy are counted in. */
const units: Readonly<Record<PolicyName, string>> = {
  kv: "blocks",
  ttft: "ms",
  "round-robin": "turns",
  random: "",
  "least-loaded": "requests",
  "power-of-two": "requests",
  direct: "requests",
};

/** What each term means, by policy and name; a term without an entry is told by its name alone. */
const termWords: Readonly<Record<string, string>> = {
  "kv.prefill": "prompt blocks still to compute, those of waiting requests counted",
  "kv.decode": "blocks that it would hold",
  "kv.active": "its running requests, weighed",
  "ttft.queue": "prompts ahead",
  "ttft.prefill": "computing what no tier holds",
  "ttft.transfer": "bringing blocks back from host and disk",
  "ttft.interference": "decode steps in between",
  "ttft.work": "weight of the new work for those that wait behind it",
  turn: "its last turn in the round",
  active: "its requests",
  affinity: "the session is bound to it",
};

/** A number with at most three decimals. */
export function num(value: number): string {
  return String(Math.round(value * 1_000) / 1_000);
}

/** `3 blocks`, `1 block`. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${num(value)} ${value === 1 ? one : many}`;
}

/** A cost with its unit. */
export function costWords(cost: number, policy: PolicyName): string {
  return `${num(cost)} ${units[policy]}`.trimEnd();
}

/** `cost 5 blocks = prefill 1 + decode 4`. */
export function sumWords({ cost, terms }: Candidate, policy: PolicyName): string {
  const parts = Object.entries(terms).map(([name, value]) => `${name} ${num(value)}`);
  return parts.length === 0 ? "no cost" : `cost ${costWords(cost, policy)} = ${parts.join(" + ")}`;
}

/** Where each term of a candidate comes from, one line each. */
export function termLines(
  { terms }: Candidate,
  rank: RankInputs,
  report: DecisionReport,
): string[] {
  const { record } = report;
  return Object.entries(terms).map(([name, value]) => {
    const words = termWords[`${record.policy}.${name}`] ?? termWords[name];
    const formula = record.policy === "kv" ? kvFormula(name, rank, report) : undefined;
    return `${name} ${num(value)}${words === undefined ? "" : `: ${words}`}${
      formula === undefined ? "" : `; ${formula}`
    }`;
  });
}

function kvFormula(
  name: string,
  { overlap, numbers, blockSize }: RankInputs,
  report: DecisionReport,
): string | undefined {
  const { isl } = report.record;
  const kv = weightsOf(report).kv ?? {};
  if (name === "prefill") {
    const credit = (["device", "host", "disk"] as const).filter((tier) => overlap[tier] > 0)
      .map((tier) => `${overlap[tier]} ${tier} x ${num(kv[`${tier}Credit`])}`);
    const fades = (kv.creditDecay ?? 0) > 0 && overlap.device > 0;
    const minus = credit.length === 0
      ? "0 cached"
      : `${credit.join(" - ")}${fades ? ", the device's fading with what waits" : ""}`;
    return `${
      num(kv.prefillScale)
    } x max(0, (${numbers.prefillTokens} waiting + ${isl} prompt tokens) / ${blockSize} - ${minus})`;
  }
  if (name === "decode") {
    return `${numbers.blocks} held now + ${Math.ceil(isl / blockSize)} of this prompt`;
  }
  if (name === "active") return `${num(kv.activeWeight)} x ${numbers.requests}`;
  return undefined;
}

const flipNames: Readonly<
  Record<Flip["name"], { readonly one: string; readonly many: string }>
> = {
  device: { one: "cached block", many: "cached blocks" },
  requests: { one: "running request", many: "running requests" },
  prefillTokens: { one: "prompt token waiting", many: "prompt tokens waiting" },
  blocks: { one: "block held by running requests", many: "blocks held by running requests" },
  aheadMs: { one: "ms of work ahead", many: "ms of work ahead" },
};

/** `12 more cached blocks (14 instead of 2)`. */
export function flipWords({ name, from, to }: Flip): string {
  const by = Math.abs(to - from);
  const { one, many } = flipNames[name];
  const way = to > from ? "more" : "fewer";
  return `${num(by)} ${way} ${by === 1 ? one : many} (${num(to)} instead of ${num(from)})`;
}

/** Texts as `a, b or c`. */
export function orWords(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} or ${texts.at(-1)}`;
}

/** What a worker held of the prompt, and what it was doing. */
export function stateWords({ overlap, numbers }: RankInputs): string {
  const tiers = (["device", "host", "disk"] as const).filter((tier) => overlap[tier] > 0)
    .map((tier) => `${overlap[tier]} ${tier}`);
  const cached = tiers.length === 0 ? "none of the prompt" : `${tiers.join(" + ")} blocks of it`;
  const { requests = 0, prefillTokens = 0, blocks = 0 } = numbers;
  return `held ${cached}; ${count(requests, "request")}, ${
    count(prefillTokens, "prompt token")
  } waiting, ${count(blocks, "block")} in use`;
}

/** A worker rank as people and `--what-if` name it. */
export function workerWords(worker: Candidate["worker"]): string {
  return workerRankText(worker);
}
