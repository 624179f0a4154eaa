import { option, parseConfig } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import { moveKinds, orderKinds } from "@pixii/wire";
import { optionWords } from "../option_words.ts";

/** Shortest and longest time that an order holds, ms. */
const orderTimes = { min: 1_000, max: 30 * 86_400_000 } as const;

/** Options of `deno task plan`. */
export const planSchema = {
  admin: option.list({
    fallback: [] as readonly string[],
    placeholder: "URL",
    help: "Admin address of a planner, such as http://127.0.0.1:40003; once per planner.",
  }),
  "ready-file": option.text({
    fallback: "",
    placeholder: "PATH",
    help: "Asks the planners that this ready file of deno task dev names; orders go to its etcd.",
  }),
  etcd: option.text({
    fallback: "",
    placeholder: "http://HOST:PORT",
    help: "Asks every planner that this registry names; orders go to it.",
  }),
  namespace: option.text({
    fallback: "default",
    placeholder: "NAME",
    help: "With --etcd: whose planners.",
  }),
  file: option.text({
    fallback: "",
    placeholder: "PATH",
    help:
      "With --history or --replay: reads a planner's --history-file, and its older part PATH.1, instead of asking.",
  }),
  history: option.flag({ fallback: false, help: "The decisions that are kept, the oldest first." }),
  replay: option.flag({
    fallback: false,
    help: "Makes every kept decision again and says whether it is the same, bit for bit.",
  }),
  "dry-run": option.flag({
    fallback: false,
    help: "What the planner would decide now; nothing is moved and nothing kept.",
  }),
  last: option.integer({
    fallback: undefined,
    min: 1,
    max: 1_000_000,
    help: "With --history: only so many, each with everything it was made from if few (up to 3).",
  }),
  model: option.text({
    fallback: "",
    placeholder: "NAME",
    help: "Only this model; an order without it is for all (a pin has one).",
  }),
  reason: option.text({
    fallback: "",
    placeholder: "TEXT",
    help: "Why an order is given; planners and their history repeat it. Every order has one.",
  }),
  for: option.duration({
    fallback: 3_600_000,
    ...orderTimes,
    help: "How long an order holds; then it is gone by itself.",
  }),
  by: option.text({
    fallback: "",
    placeholder: "NAME",
    help: "Who gives an order; else the name that the system knows you by.",
  }),
  prefill: option.integer({ fallback: undefined, min: 0, max: 4_096, help: "With pin: so many." }),
  decode: option.integer({ fallback: undefined, min: 0, max: 4_096, help: "With pin: so many." }),
  both: option.integer({ fallback: undefined, min: 0, max: 4_096, help: "With pin: so many." }),
  move: option.choice(["any", ...moveKinds], {
    fallback: "any",
    help: "With veto: no move of this kind.",
  }),
  worker: option.text({
    fallback: "",
    placeholder: "INSTANCE",
    help: "With veto: no move of this worker (the first characters will do).",
  }),
  decision: option.text({
    fallback: "",
    placeholder: "PLANNER.ID",
    help:
      "With veto: not to where this decision leads; the number alone will do where it is clear.",
  }),
  all: option.flag({ fallback: false, help: "With resume: takes every order back." }),
  json: option.flag({ fallback: false, help: "JSON lines instead of words." }),
} as const;

/** The options, parsed. */
export type PlanConfig = ConfigOf<typeof planSchema>;

/** What can be asked of planners. */
export type PlanLook = "now" | "history" | "replay" | "dry-run";

/** What is to be done. */
export type PlanAsk =
  | { readonly kind: PlanLook; readonly config: PlanConfig }
  | { readonly kind: typeof orderKinds[number]; readonly config: PlanConfig }
  /** `id`: the order; without it those of the model, or all. */
  | { readonly kind: "resume"; readonly id: string | undefined; readonly config: PlanConfig };

/** The only variables that count: PIXII_MODEL and the like are other programs'. */
const variables = ["PIXII_ADMIN", "PIXII_READY_FILE", "PIXII_ETCD", "PIXII_NAMESPACE"];

/** Reads the command line. Reports every problem at once. */
export function parsePlan(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): PlanAsk | { readonly problems: readonly string[] } {
  const { words: [word, id, ...rest], named } = optionWords(planSchema, args);
  const mine = Object.fromEntries(Object.entries(env).filter(([name]) => variables.includes(name)));
  const parsed = parseConfig(planSchema, { args: named, env: mine });
  const kind = ([...orderKinds, "resume"] as const).find((one) => one === word);
  const problems: string[] = "problems" in parsed ? [...parsed.problems] : [];
  if (word !== undefined && kind === undefined) {
    problems.push(
      `Cannot do ${JSON.stringify(word)}: name one of ${orderKinds.join(", ")}, resume, or nothing`,
    );
  }
  if (rest.length > 0 || (id !== undefined && kind !== "resume")) {
    problems.push(`Cannot use ${JSON.stringify(rest[0] ?? id)}: options begin with --`);
  }
  if ("problems" in parsed) return { problems };
  const { config } = parsed;
  const looks = (["history", "replay", "dry-run"] as const).filter((name) => config[name]);
  if (looks.length + (kind === undefined ? 0 : 1) > 1) {
    const all = [...looks.map((one) => `--${one}`), ...(kind === undefined ? [] : [kind])];
    problems.push(`Cannot do ${all.join(" and ")} at once`);
  }
  if (config.file !== "" && !config.history && !config.replay) {
    problems.push("Cannot use --file without --history or --replay: a file says what was");
  }
  problems.push(...(kind === undefined ? [] : orderProblems(kind, id, config)));
  if (problems.length > 0) return { problems };
  if (kind === "resume") return { kind, id, config };
  return { kind: kind ?? looks[0] ?? "now", config };
}

/** What an order lacks or has too much of. */
function orderProblems(
  kind: typeof orderKinds[number] | "resume",
  id: string | undefined,
  config: PlanConfig,
): string[] {
  const { prefill, decode, both, model, move, worker, decision, reason, all } = config;
  const hasCounts = [prefill, decode, both].some((one) => one !== undefined);
  const isVeto = move !== "any" || worker !== "" || decision !== "";
  const problems: string[] = [];
  if (kind === "resume") {
    if ([id !== undefined, model !== "", all].filter(Boolean).length !== 1) {
      problems.push("Cannot resume: name an order, or --model NAME, or --all (one of them)");
    }
  } else if (reason.trim() === "") {
    problems.push(`Cannot ${kind} without --reason TEXT: who comes later wants to know why`);
  }
  if (hasCounts && kind !== "pin") {
    problems.push("Cannot use --prefill, --decode or --both but with pin");
  }
  if (isVeto && kind !== "veto") {
    problems.push("Cannot use --move, --worker or --decision but with veto");
  }
  if (kind === "pin") {
    if (model === "") problems.push("Cannot pin all models at once: name one with --model");
    const sum = (prefill ?? 0) + (decode ?? 0) + (both ?? 0);
    if (!hasCounts) problems.push("Cannot pin without --prefill N, --decode N or --both N");
    else if (sum === 0) {
      problems.push("Cannot pin a model to no worker: nobody would answer its requests");
    } else if ((decode ?? 0) + (both ?? 0) === 0) {
      problems.push("Cannot pin to prefill workers alone, they answer nothing: add --decode N");
    }
  }
  if (kind === "veto" && !isVeto) {
    problems.push("Cannot veto nothing: say --move KIND, --worker INSTANCE or --decision ID");
  }
  if (decision !== "" && (move !== "any" || worker !== "")) {
    problems.push("Cannot veto a decision and a move or a worker in one order: give two");
  }
  return problems;
}
