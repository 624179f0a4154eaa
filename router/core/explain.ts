import type { Candidate, DecisionReport, RankInputs } from "@pixii/wire";
import { workerRankText } from "@pixii/wire";
import type { ChoiceInput } from "./choose.ts";
import { changed } from "./decision_change.ts";
import { flipsAway, flipsTo } from "./decision_flip.ts";
import { costWords, count, flipWords, num, orWords } from "./explain_words.ts";
import { stateWords, sumWords, termLines, workerWords } from "./explain_words.ts";
import { softmaxWeights } from "./pick.ts";
import { redecide } from "./replay_decision.ts";

/** Runners-up that are explained one by one. */
const mostRunnersUp = 7;

/** Reasons of exclusion in words; others are told as they are. */
const reasonWords: Readonly<Record<string, string>> = {
  other: "other weights than most workers of the model",
  excluded: "left out by the request's hints",
  prefill: "only for prefill",
  draining: "shutting down",
  silent: "not heard of lately",
  hung: "stuck in a step",
  short: "context too short for the prompt",
  labels: "without the labels that the request requires",
  tainted: "tainted, and the request does not tolerate it",
  bound: "not the one that the hard session is bound to",
  busy: "full",
  adapter: "without the request's adapter, which another has loaded",
};

/** A decision as lines for people: why this worker, why not the others, what would have changed it, what came of it. */
export function explainDecision(report: DecisionReport): string[] {
  const { record, ranks } = report;
  const chosenText = workerRankText(record.chosen);
  const place = ranks.findIndex(({ worker }) => workerRankText(worker) === chosenText);
  const candidate = record.candidates.find(({ worker }) => workerRankText(worker) === chosenText);
  if (place < 0 || candidate === undefined) {
    return [...headLines(report), `placed at ${chosenText}, of which the record holds nothing`];
  }
  const view = { report, place, candidate };
  return [
    ...headLines(report),
    "",
    `Why ${chosenText}`,
    ...indent(whyLines(view)),
    ...section("Who computes the prompt", splitLines(report)),
    ...section("Why not the others", othersLines(view)),
    ...section("What would have changed it", changeLines(view)),
    ...section("Could not take it", excludedLines(report)),
    ...section("What came of it", outcomeLines(view)),
  ];
}

interface View {
  readonly report: DecisionReport;
  /** Place of the chosen rank. */
  readonly place: number;
  readonly candidate: Candidate;
}

function headLines({ record, clientId, wallMs, queuedMs }: DecisionReport): string[] {
  const when = wallMs === undefined ? "" : `, ${new Date(wallMs).toISOString()}`;
  const client = clientId === undefined ? "" : ` (x-request-id ${clientId})`;
  const queued = queuedMs === undefined ? [] : [`waited ${num(queuedMs)} ms in the queue`];
  return [
    `request ${record.requestId}${client}, attempt ${record.attempt + 1}, leg ${record.leg}${when}`,
    `model ${record.model}, ${
      count(record.isl, "prompt token")
    }, policy ${record.policy}, router ${record.router}, state ${record.stateVersion}`,
    ...queued,
  ];
}

function splitLines({ record: { prefill, split } }: DecisionReport): string[] {
  if (prefill === undefined || split === undefined) return [];
  const { acts, localMs, splitMs, tokens } = split;
  const who = workerWords(prefill);
  return [
    acts
      ? `${who} computes ${count(tokens, "prompt token")} and hands them over.`
      : `${who} should compute ${
        count(tokens, "prompt token")
      } (--split-mode advise: it does not).`,
    `First token foreseen after ${num(splitMs)} ms; where it is decoded, after ${num(localMs)} ms.`,
  ];
}

function whyLines({ report, place, candidate }: View): string[] {
  const { record, ranks } = report;
  const { policy, eligible } = record;
  const input = report.input as unknown as ChoiceInput;
  const rank = ranks[place];
  const lines = [reasonLine({ report, place, candidate })];
  if (eligible > 1 || policy !== "direct") {
    if (Object.keys(candidate.terms).length > 0) lines.push(sumWords(candidate, policy));
    lines.push(...indent(termLines(candidate, rank, report)));
  }
  lines.push(`It ${stateWords(rank)}.`);
  if (record.chance.length > 0) {
    lines.push(`Chance used: ${record.chance.map(String).join(", ")}.`);
  }
  if (input.sessionPlace !== undefined) {
    const free = redecide(changed(report, { kind: "no-session" })!);
    const same = free.place === place;
    lines.push(
      same
        ? "Without the session it would have been chosen all the same."
        : `Without the session it would have been ${workerWords(free.worker)}.`,
    );
  }
  return lines;
}

function reasonLine({ report, place, candidate }: View): string {
  const { record, hints, input } = report;
  const { policy, eligible, candidates } = record;
  if ((input as unknown as ChoiceInput).sessionPlace === place) {
    return `Its session ${hints?.session ?? ""} is bound to this worker, which has room.`;
  }
  if (hints?.worker !== undefined && eligible === 1) return "The request asked for this worker.";
  if (eligible === 1) return "It was the only worker that could take the request.";
  const ties = candidates.filter((one) => one.cost === candidate.cost).length;
  const least = candidates.every((one) => one.cost >= candidate.cost);
  switch (policy) {
    case "random":
      return `Drawn by chance among ${eligible}.`;
    case "round-robin":
      return `Its turn: of ${eligible} it had waited the longest.`;
    case "power-of-two":
      return `Of two that were drawn among ${eligible}, it had the fewer requests.`;
    default: {
      const share = shareOf(report, place);
      if (share !== undefined) {
        return `Drawn by chance among ${eligible}, the cheaper the likelier (temperature ${
          num((input as unknown as ChoiceInput).weights.kv.temperature)
        }): it had ${num(100 * share)} % of the chance${least ? ", the most" : ""}.`;
      }
      if (ties > 1) return `One of ${ties} equally cheap of ${eligible}; the draw fell on it.`;
      return `It was the cheapest of ${eligible}.`;
    }
  }
}

/** The part of chance that a rank had under a temperature; nothing where there was none. */
function shareOf(report: DecisionReport, place: number): number | undefined {
  const { policy, weights } = report.input as unknown as ChoiceInput;
  if (policy !== "kv" || !(weights.kv.temperature > 0)) return undefined;
  const { looked } = redecide(report);
  const shares = softmaxWeights(looked, weights.kv.temperature);
  const sum = shares?.reduce((all, one) => all + one, 0);
  return shares === undefined || sum === undefined ? 1 / looked.length : shares[place] / sum;
}

function othersLines({ report, place, candidate }: View): string[] {
  const { record, ranks } = report;
  const { policy } = record;
  const others = record.candidates.filter((one) => one !== candidate);
  const byText = new Map(ranks.map((rank, i) => [workerRankText(rank.worker), i]));
  const lines = others.slice(0, mostRunnersUp).flatMap((one) => {
    const at = byText.get(workerRankText(one.worker))!;
    return [
      otherLine(one, { report, place, candidate }),
      ...indent([
        `it ${stateWords(ranks[at])}`,
        ...wouldLines({ report, place: at, candidate: one }, one.cost === candidate.cost),
      ]),
    ];
  });
  const more = record.eligible - 1 - Math.min(others.length, mostRunnersUp);
  if (more > 0 && policy === "power-of-two") lines.push(`${more} more were not looked at.`);
  else if (more > 0) lines.push(`${more} more could have taken it (--json shows them all).`);
  return lines;
}

function otherLine(one: Candidate, { report, candidate }: View): string {
  const { policy } = report.record;
  const by = one.cost - candidate.cost;
  const share = shareOf(report, placeOf(report, one));
  const chance = share === undefined ? "" : `, ${num(100 * share)} % of the chance`;
  if (Object.keys(one.terms).length === 0) return `${workerWords(one.worker)}: not drawn`;
  const more = by === 0
    ? "the same"
    : `${costWords(Math.abs(by), policy)} ${by > 0 ? "more" : "less"}`;
  return `${workerWords(one.worker)}: ${sumWords(one, policy)}, ${more}${chance}`;
}

function placeOf(report: DecisionReport, { worker }: Candidate): number {
  const text = workerRankText(worker);
  return report.ranks.findIndex((rank) => workerRankText(rank.worker) === text);
}

/** By what a runner-up would have won, each number alone; nothing where chance or a session decides. */
function wouldLines({ report, place }: View, isTie: boolean): string[] {
  if (!isPriced(report)) return [];
  const flips = flipsTo(report, place);
  if (isTie && flips.length === 0) return ["another draw would have chosen it"];
  if (flips.length === 0) return ["no single number of it would have made it win"];
  return [`it would have won with ${orWords(flips.map(flipWords))}`];
}

function changeLines({ report, place }: View): string[] {
  if (!isPriced(report) || report.record.eligible < 2) return [];
  return flipsAway(report, place).map((flip) =>
    `With ${flipWords(flip)} at ${workerWords(flip.worker)}: ${workerWords(flip.winner)}.`
  );
}

/** True where the cheapest is chosen: then a number has a point at which the choice turns. */
function isPriced(report: DecisionReport): boolean {
  const { policy, weights, sessionPlace } = report.input as unknown as ChoiceInput;
  if (sessionPlace !== undefined) return false;
  return policy === "ttft" || policy === "least-loaded" ||
    (policy === "kv" && !(weights.kv.temperature > 0));
}

function excludedLines({ excluded }: DecisionReport): string[] {
  return excluded.map(({ reason, count: many, workers }) => {
    const named = workers.map(workerWords).join(", ");
    const more = many > workers.length ? ` and ${many - workers.length} more` : "";
    return `${many} ${reasonWords[reason] ?? reason}: ${named}${more}`;
  });
}

function outcomeLines({ report, place }: View): string[] {
  const { outcome, record, ranks } = report;
  if (outcome === undefined) return ["Nothing is known yet."];
  const { overlap, blockSize }: RankInputs = ranks[place];
  const { firstTokenMs, cachedTokens, endMs, outputTokens, reason } = outcome;
  const expected = (overlap.device + overlap.host + overlap.disk) * blockSize;
  const lines: string[] = [];
  if (firstTokenMs !== undefined) lines.push(`First token after ${num(firstTokenMs)} ms.`);
  if (cachedTokens !== undefined) {
    lines.push(
      `${cachedTokens} of ${record.isl} prompt tokens came from caches; ${expected} were expected.`,
    );
  }
  if (endMs !== undefined) {
    const tokens = outputTokens === undefined ? "" : `, ${count(outputTokens, "output token")}`;
    lines.push(
      `Ended after ${num(endMs)} ms${tokens}${reason === undefined ? "" : `: ${reason}`}.`,
    );
  }
  return lines;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...indent(lines)];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
