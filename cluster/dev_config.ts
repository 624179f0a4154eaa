import { type ConfigOf, option, parseConfig, parseLogFilter } from "@pixii/runtime";
import { diskPattern, diskRule } from "@pixii/kvbm";
import { isNamespace, policies } from "@pixii/wire";
import {
  engineProblem,
  type KvTypeName,
  kvTypeNames,
  modelBounds,
  type ModelSpec,
  mostLlamaSeqs,
  parseModelSpec,
} from "./model_spec.ts";
import { type Passthrough, splitPassthrough } from "./passthrough.ts";

/** The options of `deno task dev`. */
export const devSchema = {
  model: option.list({
    fallback: [],
    placeholder: "M[,key=value…]",
    separator: ";",
    help:
      "What to serve: a path (starts with / ./ ~/ or ends in .gguf), ORG/REPO[:FILE] of Hugging Face, or a catalog name. " +
      "Keys for this model only: workers, prefill, decode, engine, max-seqs, threads, ctx, kv-type. Without it: smollm2 where a source answers, else tiny.",
  }),
  "served-name": option.list({
    fallback: [],
    placeholder: "NAME",
    separator: ";",
    help: "Name clients use, in the order of --model.",
  }),
  engine: option.text({
    fallback: "llama",
    placeholder: "llama|sim",
    help:
      "Engine of the workers: llama.cpp, or a simulation that needs no weights and answers with random words.",
  }),
  "sim-speed": option.number({
    fallback: 1,
    min: 0.01,
    max: 1_000_000,
    infinite: true,
    help:
      "How much faster than the modelled machine the sim engine works; inf = as fast as it can.",
  }),
  topology: option.choice(["auto", "one", "processes"], {
    fallback: "auto",
    help:
      "processes: five programs over NATS and etcd; one: one program beside its workers; auto: processes where both servers are found.",
  }),
  nats: serverOption("nats://HOST:PORT", "A running nats-server; without it one is started."),
  etcd: serverOption("http://HOST:PORT", "A running etcd; without it one is started."),
  namespace: option.text({
    fallback: "",
    placeholder: "NAME",
    help: "Keeps clusters on shared servers apart; random if left out.",
    pattern: /^[a-zA-Z0-9_-]{0,64}$/,
    rule: "must be 1 to 64 of a-z A-Z 0-9 _ -",
  }),
  workers: option.integer({ fallback: 1, ...modelBounds.workers, help: "Workers per model." }),
  prefill: option.integer({
    fallback: 0,
    ...modelBounds.prefill,
    help:
      "Workers per model that only compute prompts, for those of --decode; instead of --workers.",
  }),
  decode: option.integer({
    fallback: 0,
    ...modelBounds.decode,
    help: "Workers per model that answer, with prompts that those of --prefill computed.",
  }),
  "max-seqs": option.integer({
    fallback: 8,
    ...modelBounds["max-seqs"],
    help: `Requests that a worker computes at a time; llama at most ${mostLlamaSeqs}.`,
  }),
  threads: option.integer({
    fallback: 1,
    ...modelBounds.threads,
    help: "Compute threads of a worker; never more than cores that are really free.",
  }),
  ctx: option.integer({
    fallback: 0,
    ...modelBounds.ctx,
    help: "Most tokens of prompt plus output; 0 = the model's, up to 8192.",
  }),
  "kv.type": option.choice(kvTypeNames, {
    fallback: "f16",
    help:
      "How llama stores K and V: q8_0 takes half the memory and is slower on a CPU; needs heads of a multiple of 32.",
  }),
  router: option.choice(policies, {
    fallback: "kv",
    help: "How a worker is chosen.",
  }),
  planner: option.choice(["watch", "act"], {
    fallback: "watch",
    help:
      "watch: says what it would do; act: changes roles of workers, starts and stops them, within --planner.gpus (without it as many as are started).",
  }),
  "kv.host": option.bytes({
    fallback: 512 * 1024 * 1024,
    min: 0,
    max: 2 ** 44,
    help: "KV cache in shared memory, below the workers' own; 0 = none.",
  }),
  "kv.pool": option.text({
    fallback: "",
    placeholder: "DIR",
    help: "Folder of that memory; empty: /dev/shm on Linux, else the temporary folder.",
  }),
  "kv.disk": option.text({
    fallback: "",
    placeholder: "SIZE[:DIR]",
    help:
      "KV cache on disk, below the memory's; it outlives restarts. Without DIR: kv in Pixii's cache; empty: off.",
    pattern: diskPattern,
    rule: diskRule,
  }),
  host: option.text({ fallback: "127.0.0.1", placeholder: "A", help: "Address of the HTTP API." }),
  port: option.integer({
    fallback: 8000,
    min: 0,
    max: 65_535,
    help: "Port of the HTTP API; 0 = any free one; a taken one is an error.",
  }),
  "ready-file": option.text({
    fallback: "",
    placeholder: "PATH",
    help: "JSON written when every model answers, removed at the end; for scripts.",
  }),
  log: option.text({
    fallback: "",
    placeholder: "FILTER",
    help: "What the programs log to stderr, as RUST_LOG: info,router=debug. Default: warn.",
  }),
} as const;

/** The options as read. */
export type DevConfig = ConfigOf<typeof devSchema>;

/** One model to serve. */
export interface ModelPlan {
  readonly spec: ModelSpec;
  readonly servedName: string;
  readonly engine: string;
  /** Of the sim engine: > 0, Infinity = as fast as it can. */
  readonly simSpeed: number;
  /** All of them. */
  readonly workers: number;
  /** Those of role prefill and of role decode; with none the role of all is both. */
  readonly prefill: number;
  readonly decode: number;
  readonly maxSeqs: number;
  readonly threads: number;
  /** 0 = the model's own, up to 8192. */
  readonly ctx: number;
  readonly kvType: KvTypeName;
}

/** What the command line asks for. */
export interface DevPlan {
  readonly config: DevConfig;
  /** Empty = the default model. */
  readonly models: readonly ModelPlan[];
  readonly passed: Passthrough;
}

/** Flags of the full design that this version does not have: name and what to do until then. */
const notBuilt: Readonly<Record<string, string>> = {
  "--interactive": "the interactive chat is not built yet; use the curl line",
};

/** Reads the command line. All problems at once, each one sentence; they mean exit code 2. */
export function parseDev(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { readonly plan: DevPlan } | { readonly problems: readonly string[] } {
  const { own, passed } = splitPassthrough(args);
  const { kept, problems } = refuseNotBuilt(own);
  const parsed = parseConfig(devSchema, { args: kept, env });
  if ("problems" in parsed) return { problems: [...problems, ...parsed.problems] };
  const { config } = parsed;
  problems.push(...crossProblems(config));
  problems.push(...rankProblems(config, passed));
  const models: ModelPlan[] = [];
  if (config.model.length === 0) {
    problems.push(...seqsProblems(config.engine, config["max-seqs"], "--max-seqs"));
    problems.push(...roleProblems(config, "--prefill and --decode"));
  }
  config.model.forEach((text, at) => {
    const spec = parseModelSpec(text, env.HOME);
    if (!spec.ok) return problems.push(spec.error.message);
    const model = modelPlan(spec.value, config, config["served-name"][at]);
    models.push(model);
    problems.push(...seqsProblems(model.engine, model.maxSeqs, `--model ${text}`));
    problems.push(...roleProblems(model, `--model ${text}`));
  });
  return problems.length > 0 ? { problems } : { plan: { config, models, passed } };
}

/** A model's plan: its own keys before the flags. */
export function modelPlan(
  spec: ModelSpec,
  config: DevConfig,
  servedName: string | undefined,
): ModelPlan {
  const { overrides } = spec;
  return {
    spec,
    servedName: servedName ?? spec.name,
    engine: overrides.engine ?? config.engine,
    simSpeed: config["sim-speed"],
    ...workersOf(overrides, config),
    maxSeqs: overrides["max-seqs"] ?? config["max-seqs"],
    threads: overrides.threads ?? config.threads,
    ctx: overrides.ctx ?? config.ctx,
    kvType: overrides["kv-type"] ?? config["kv.type"],
  };
}

/** How many workers of which role; a model's own `workers` stands against the flags of both roles. */
function workersOf(
  overrides: ModelSpec["overrides"],
  config: DevConfig,
): Pick<ModelPlan, "workers" | "prefill" | "decode"> {
  const isPlain = overrides.workers !== undefined;
  const prefill = overrides.prefill ?? (isPlain ? 0 : config.prefill);
  const decode = overrides.decode ?? (isPlain ? 0 : config.decode);
  const workers = prefill + decode || (overrides.workers ?? config.workers);
  return { workers, prefill, decode };
}

function refuseNotBuilt(args: readonly string[]): { kept: string[]; problems: string[] } {
  const kept: string[] = [];
  const problems: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const equals = args[i].indexOf("=");
    const flag = equals < 0 ? args[i] : args[i].slice(0, equals);
    const next = equals < 0 ? args[i + 1] : args[i].slice(equals + 1);
    const takesNext = equals < 0 && next !== undefined && !next.startsWith("--");
    if (flag in notBuilt) problems.push(`Cannot use ${flag}: ${notBuilt[flag]}`);
    else {
      kept.push(args[i]);
      continue;
    }
    if (takesNext) i++;
  }
  return { kept, problems };
}

function crossProblems(config: DevConfig): string[] {
  const problems: string[] = [];
  const engine = engineProblem(config.engine);
  if (engine !== undefined) problems.push(`Cannot use --engine: ${engine}`);
  const names = config["served-name"];
  if (names.length > Math.max(1, config.model.length)) {
    problems.push(
      `Cannot use --served-name: at most one per --model, got ${names.length} for ${config.model.length}`,
    );
  }
  if (config.topology === "one" && (config.nats !== "" || config.etcd !== "")) {
    problems.push("Cannot use --topology one with --nats or --etcd: it needs no servers");
  }
  if (config.namespace !== "" && !isNamespace(config.namespace)) {
    problems.push(`Cannot use --namespace: got ${JSON.stringify(config.namespace)}`);
  }
  const filter = config.log === "" ? undefined : parseLogFilter(config.log);
  if (filter !== undefined && "problem" in filter) {
    problems.push(`Cannot use --log: ${filter.problem}`);
  }
  return problems;
}

/** A planner moves ranks, a launcher whole programs. */
function rankProblems({ planner }: DevConfig, passed: Passthrough): string[] {
  const hasRanks = passed.worker.some((flag) => /^--ranks(=|$)/.test(flag));
  if (planner !== "act" || !hasRanks) return [];
  return [
    "Cannot use --planner act with --worker.ranks: a worker of several ranks starts and ends as one",
  ];
}

/** Prompts that nobody decodes, or a worker that waits for prompts that nobody computes, are a mistake. */
function roleProblems(
  { prefill, decode }: Pick<ModelPlan, "prefill" | "decode">,
  what: string,
): string[] {
  if ((prefill === 0) === (decode === 0)) return [];
  const missing = prefill === 0 ? "--prefill" : "--decode";
  return [`Cannot use ${what}: prefill and decode go together; give ${missing} too`];
}

function seqsProblems(engine: string, maxSeqs: number, what: string): string[] {
  if (engine !== "llama" || maxSeqs <= mostLlamaSeqs) return [];
  return [`Cannot use ${what}: max-seqs of llama is at most ${mostLlamaSeqs}, got ${maxSeqs}`];
}

function serverOption(placeholder: string, help: string) {
  return option.text({
    fallback: "",
    placeholder,
    help,
    pattern: /^([a-z]+:\/\/[^\s/]+\S*)?$/,
    rule: `must be a URL like ${placeholder}`,
  });
}
