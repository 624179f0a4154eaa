import { fail, ok, policies } from "@pixii/wire";
import type { DecisionReport, PolicyName, RankInputs, Result } from "@pixii/wire";

/** Numbers of a rank's overlap that a change may set. */
const tiers = ["device", "host", "disk"] as const;

/** Something about a decision that is supposed to have been otherwise. */
export type DecisionChange =
  | { readonly kind: "policy"; readonly policy: PolicyName }
  /** `group` and `name` of a weight, as `input.weights` has them. */
  | {
    readonly kind: "weight";
    readonly group: string;
    readonly name: string;
    readonly value: number;
  }
  /** Ranks whose instance id begins so, taken out or alone left. */
  | { readonly kind: "deny" | "allow"; readonly instance: string }
  /** The session binds nobody. */
  | { readonly kind: "no-session" }
  /** A number of the ranks whose instance id begins so: a tier of the overlap, or one of `numbers`. */
  | {
    readonly kind: "number";
    readonly instance: string;
    readonly name: string;
    readonly value: number;
  };

type Weights = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The weights in force, by policy; empty where the record is of a router that told none. */
export function weightsOf(report: DecisionReport): Weights {
  const { weights } = report.input;
  return typeof weights === "object" && weights !== null ? weights as Weights : {};
}

/** `kv.prefill-scale` for group `kv`, name `prefillScale`. */
export function weightName(group: string, name: string): string {
  return `${group}.${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Names of all weights that a record has, as `what-if` takes them. */
export function weightNames(report: DecisionReport): string[] {
  return Object.entries(weightsOf(report)).flatMap(([group, weights]) =>
    Object.keys(weights).map((name) => weightName(group, name))
  );
}

/**
 * The change in a text: `policy=NAME`, `deny=INSTANCE`, `allow=INSTANCE`, `session=off`, a weight (`kv.temperature=0.5`),
 * or a number of a worker (`INSTANCE.device=12`, `INSTANCE.requests=3`). Else `invalid_request`, with what there is.
 */
export function readChange(text: string, report: DecisionReport): Result<DecisionChange> {
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(0, at));
  const told = text.slice(at + 1);
  if (name === "policy") {
    const policy = policies.find((one) => one === told);
    if (policy !== undefined) return ok({ kind: "policy", policy });
    return bad(text, `policies are ${policies.join(", ")}`);
  }
  if (name === "deny" || name === "allow") {
    if (ranksOf(report, told).length > 0) return ok({ kind: name, instance: told });
    return bad(text, `no eligible worker begins with '${told}'`);
  }
  if (text === "session=off") return ok({ kind: "no-session" });
  const value = told.trim() === "" ? NaN : Number(told);
  const weights = weightsOf(report);
  const group = Object.keys(weights).find((one) => name.startsWith(`${one}.`));
  const weight = group === undefined
    ? undefined
    : Object.keys(weights[group]).find((one) => weightName(group, one) === name);
  const rankName = numberName(name, report);
  const isKnown = weight !== undefined || rankName !== undefined;
  if (!isKnown) {
    return bad(
      text,
      `there are policy=NAME, deny=WORKER, allow=WORKER, session=off, WORKER.device=BLOCKS, WORKER.requests=N, and the weights ${
        weightNames(report).join(", ")
      }`,
    );
  }
  if (!Number.isFinite(value)) return bad(text, "it needs a number behind the =");
  if (rankName !== undefined) return ok({ kind: "number", ...rankName, value });
  return ok({ kind: "weight", group: group!, name: weight!, value });
}

/** The report with a change made; where it leaves no rank, nothing. */
export function changed(
  report: DecisionReport,
  change: DecisionChange,
): DecisionReport | undefined {
  const { input } = report;
  switch (change.kind) {
    case "policy":
      return { ...report, input: { ...input, policy: change.policy } };
    case "no-session":
      return { ...report, input: { ...input, sessionPlace: undefined } };
    case "weight": {
      const weights = weightsOf(report);
      const group = { ...weights[change.group], [change.name]: change.value };
      return { ...report, input: { ...input, weights: { ...weights, [change.group]: group } } };
    }
    case "number": {
      const { instance, name, value } = change;
      const ranks = report.ranks.map((rank) =>
        isOf(rank, instance) ? withNumber(rank, name, value) : rank
      );
      return { ...report, ranks };
    }
    case "deny":
    case "allow":
      return without(report, (rank) => isOf(rank, change.instance) === (change.kind === "deny"));
  }
}

/** The rank with another number: a tier of its overlap, or one of its `numbers`. */
export function withNumber(rank: RankInputs, name: string, value: number): RankInputs {
  if (tiers.some((tier) => tier === name)) {
    return { ...rank, overlap: { ...rank.overlap, [name]: value } };
  }
  return { ...rank, numbers: { ...rank.numbers, [name]: value } };
}

function without(
  report: DecisionReport,
  isGone: (rank: RankInputs) => boolean,
): DecisionReport | undefined {
  const bound = report.ranks[Number(report.input.sessionPlace ?? -1)];
  const ranks = report.ranks.filter((rank) => !isGone(rank));
  const place = bound === undefined ? -1 : ranks.indexOf(bound);
  if (ranks.length === 0) return undefined;
  const sessionPlace = place < 0 ? undefined : place;
  return { ...report, ranks, input: { ...report.input, sessionPlace } };
}

/** `INSTANCE` and number of `INSTANCE.requests`. */
function numberName(
  text: string,
  report: DecisionReport,
): { readonly instance: string; readonly name: string } | undefined {
  const at = text.lastIndexOf(".");
  const instance = text.slice(0, Math.max(0, at));
  const name = text.slice(at + 1);
  const [rank] = instance === "" ? [] : ranksOf(report, instance);
  if (rank === undefined) return undefined;
  const isKnown = Object.hasOwn(rank.numbers, name) || tiers.some((tier) => tier === name);
  return isKnown ? { instance, name } : undefined;
}

/** The eligible ranks whose instance id, or `INSTANCE.RANK`, begins so. */
function ranksOf(report: DecisionReport, instance: string): RankInputs[] {
  return instance === "" ? [] : report.ranks.filter((rank) => isOf(rank, instance));
}

function isOf({ worker }: RankInputs, instance: string): boolean {
  return `${worker.instance}.${worker.dpRank}`.startsWith(instance);
}

function bad(text: string, why: string): Result<never> {
  return fail("invalid_request", `Cannot suppose '${text}': ${why}`, { param: "what-if" });
}
