import { decodeRecord, keys, readDecisionReport } from "@pixii/wire";
import type { DecisionReport, InstanceRecord, ServiceName } from "@pixii/wire";
import type { Clock, Registry } from "@pixii/runtime";

/** A program answers within this or is named as missing. */
const answerMs = 1_000;
/** What was collected is given again for this long, so that many open pages cost no more than one. */
const freshMs = 400;
/** Most programs of one kind that are asked. */
const mostAsked = 32;
/** Decisions shown, and candidates of each. */
const mostDecisions = 60;
const mostCandidates = 4;
/** Lines of the planner's history shown. */
const mostPlanLines = 300;
/** Largest answer of a program that is read, in bytes. */
const mostAnswerBytes = 16 * 1024 * 1024;

/** What is asked of the programs of a kind, by the name under which the page finds it. Workers are known to the routers. */
const questions: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>> = {
  router: {
    workers: "/workers",
    queues: "/queue",
    decisions: `/v1/pixii/decisions?limit=${mostDecisions}`,
  },
  planner: { plan: "/plan", history: `/plan/history?words=1&last=${mostPlanLines}` },
  kvbm: { pool: "/pool" },
};

/** What one program said, by question. */
interface Answers {
  readonly record: InstanceRecord;
  readonly said: Readonly<Record<string, unknown>>;
}

/** What the collector works with. `ask` gets a JSON document of a program's admin port, or throws. */
export interface ClusterViewParts {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly namespace: string;
  readonly ask: (url: string, signal: AbortSignal) => Promise<unknown>;
}

/**
 * The cluster as the page shows it: the programs of the registry, and what their admin ports say. A program that does
 * not answer within a second is named under `missing`; the rest is shown without it.
 */
export class ClusterView {
  readonly #parts: ClusterViewParts;
  #last: { readonly atMs: number; readonly text: Promise<string> } | undefined;

  constructor(parts: ClusterViewParts) {
    this.#parts = parts;
  }

  /** JSON for the page. */
  read(): Promise<string> {
    const nowMs = this.#parts.clock.nowMs();
    if (this.#last === undefined || nowMs - this.#last.atMs > freshMs) {
      this.#last = { atMs: nowMs, text: this.#collect() };
    }
    return this.#last.text;
  }

  /** The words of a decision, from the first router that has it; nothing where none has. */
  async explain(id: string): Promise<unknown> {
    const path = `/v1/pixii/explain/${encodeURIComponent(id)}`;
    const routers = (await this.#records()).filter(({ service }) => service === "router");
    const answers = await Promise.all(
      routers.slice(0, mostAsked).map(({ admin }) => this.#ask(admin + path)),
    );
    return answers.find((answer) => answer !== undefined);
  }

  async #collect(): Promise<string> {
    const records = await this.#records();
    const all = await Promise.all(
      Object.keys(questions).flatMap((kind) =>
        records.filter(({ service }) => service === kind).slice(0, mostAsked)
      ).map((record) => this.#askAll(record)),
    );
    const of = (kind: ServiceName, name: string) =>
      all.filter(({ record }) => record.service === kind).map(({ said }) => said[name]);
    return JSON.stringify({
      namespace: this.#parts.namespace,
      wallMs: this.#parts.clock.wallMs(),
      services: records,
      // Routers know the same workers; the first that answers is enough.
      workers: of("router", "workers").find((one) => one !== undefined) ?? [],
      queues: of("router", "queues").flat().filter((one) => one !== undefined),
      decisions: of("router", "decisions").flatMap(rowsOf).sort((a, b) =>
        (b.wallMs ?? 0) - (a.wallMs ?? 0)
      ).slice(0, mostDecisions),
      ...planOf(all.filter(({ record }) => record.service === "planner")),
      pools: all.filter(({ record }) => record.service === "kvbm").map(({ record, said }) => ({
        ...{ instance: record.instance, host: record.host, pool: said.pool ?? null },
      })),
      missing: all.filter(({ said }) => Object.values(said).every((one) => one === undefined)).map(
        ({ record }) => `${record.service} ${record.instance} did not answer at ${record.admin}`,
      ),
    });
  }

  async #records(): Promise<InstanceRecord[]> {
    const { registry, namespace } = this.#parts;
    const entries = await registry.list(keys(namespace).instances);
    if (!entries.ok) return [];
    return entries.value.flatMap(({ value }) => {
      const record = decodeRecord("instance", value);
      return record.ok ? [record.value] : [];
    }).sort((a, b) => a.service === b.service ? 0 : a.service < b.service ? -1 : 1);
  }

  async #askAll(record: InstanceRecord): Promise<Answers> {
    const asked = Object.entries(questions[record.service] ?? {});
    const said = await Promise.all(asked.map(async ([name, path]) => {
      return [name, await this.#ask(record.admin + path)] as const;
    }));
    return { record, said: Object.fromEntries(said) };
  }

  async #ask(url: string): Promise<unknown> {
    using limit = this.#parts.clock.deadline(answerMs);
    try {
      return await this.#parts.ask(url, limit.signal);
    } catch {
      // Gone, slow, or of a version without this page: shown without it.
      return undefined;
    }
  }
}

/** What the planner that acts says, or the first that says anything. */
function planOf(planners: readonly Answers[]) {
  const telling = planners.filter(({ said }) => said.plan !== undefined);
  const leader = telling.find(({ said }) =>
    (said.plan as { readonly leads?: boolean } | null)?.leads === true
  );
  const { plan = null, history } = (leader ?? telling[0])?.said ?? {};
  const lines = (history as { readonly lines?: unknown } | undefined)?.lines;
  return { plan, history: Array.isArray(lines) ? { lines: lines.map(planLineOf) } : null };
}

/** A line of a planner's history as far as it is shown; words only where something was done. */
function planLineOf(line: PlanLine) {
  const { kind, at, by, mode, record, words = [] } = line;
  const model = record?.model ?? line.model;
  const isDone = kind !== "plan" || (record?.moves ?? []).length > 0;
  const told = isDone ? { words, title: titleOf(line) } : {};
  if (kind !== "plan" || record === undefined) return { kind, at, by, model, ...told };
  const { id, have, want, now, expectedRate: expected } = record;
  return { kind, at, by, mode, model, id, have, want, rate: now?.rate, expected, ...told };
}

function titleOf({ kind, record, words = [] }: PlanLine): string {
  if (kind === "outcome") return words.at(-1) ?? "";
  if (kind === "flip") return words[0] ?? "";
  const moves = record?.moves?.map((move) => move.kind) ?? [];
  return `decision ${record?.id}: ${moves.join(", ")}`;
}

/** What a planner of any version may have said. */
interface PlanLine {
  readonly kind?: string;
  readonly at?: string;
  readonly by?: string;
  readonly mode?: string;
  readonly model?: string;
  readonly words?: readonly string[];
  readonly record?: {
    readonly id?: number;
    readonly model?: string;
    readonly have?: unknown;
    readonly want?: unknown;
    readonly now?: { readonly rate?: number };
    readonly expectedRate?: number;
    readonly moves?: readonly { readonly kind: string }[];
  };
}

/** A JSON document of an admin port; throws where there is none. */
export async function askAdmin(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal });
  const length = Number(response.headers.get("content-length") ?? 0);
  if (!response.ok || length > mostAnswerBytes) {
    await response.body?.cancel();
    throw new Error(`${url} answered ${response.status} with ${length} bytes`);
  }
  return await response.json();
}

/** Decisions in short, as one router told them; what is none is left out. */
function rowsOf(view: unknown): ReturnType<typeof rowOf>[] {
  const decisions = (view as { readonly decisions?: unknown } | undefined)?.decisions;
  if (!Array.isArray(decisions)) return [];
  return decisions.flatMap((one) => {
    const report = readDecisionReport(one);
    return report.ok ? [rowOf(report.value)] : [];
  });
}

function rowOf({ record, clientId, wallMs, queuedMs, outcome }: DecisionReport) {
  const { requestId, attempt, leg, model, policy, isl, blockSize, eligible, chosen } = record;
  const candidates = record.candidates.slice(0, mostCandidates);
  const { prefill } = record;
  return {
    ...{ requestId, attempt, leg, clientId, wallMs, model, policy, isl, blockSize },
    ...{ eligible, chosen, prefill, candidates, queuedMs, outcome },
  };
}
