import { readLinesFile } from "../lines_file.ts";
import type { HistoryLine, InputsView, PlanView } from "@pixii/planner";
import type { InputLine } from "@pixii/planner/core";
import { connectRegistry } from "@pixii/runtime";
import type { Clock, Log, Registry } from "@pixii/runtime";
import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { adminsInReadyFile, adminsInRegistry, namedAdmins } from "../admin_ports.ts";
import type { PlanConfig } from "./plan_config.ts";

/** A planner answers within this or is passed over. */
const answerMs = 10_000;
/** Kinds of lines that are decisions and what came of them; the others say what they were made from. */
const keptKinds = ["plan", "flip", "outcome"];

/** What looking for planners touches. */
export interface PlanSourceIo {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Where a cluster's registry is. */
export interface RegistryPlace {
  readonly etcd: string;
  readonly namespace: string;
}

/** What a planner's port answers, by path. */
interface Answers {
  readonly "/plan": PlanView;
  readonly "/plan/history": { readonly lines: readonly HistoryLine[] };
  readonly "/plan/inputs": InputsView;
}

/** Decisions and what they were made from, as a file has them. */
export interface FileLines {
  readonly history: readonly HistoryLine[];
  readonly inputs: readonly InputLine[];
  readonly complaints: readonly string[];
}

/** Admin addresses of the planners that the options name. Fails with the code of what is missing. */
export async function findPlanners(
  config: PlanConfig,
  io: PlanSourceIo,
): Promise<Result<readonly string[]>> {
  if (config.admin.length > 0) return ok(namedAdmins(config.admin));
  if (config["ready-file"] !== "") {
    const found = await adminsInReadyFile(config["ready-file"], "planner");
    return found.ok ? ok(found.value.admins) : found;
  }
  if (config.etcd === "") {
    return fail(
      "invalid_request",
      "Cannot tell which planner to ask: give --admin URL, --ready-file PATH, or --etcd URL",
    );
  }
  return await withRegistry(
    config,
    io,
    (registry) => adminsInRegistry(registry, "planner", config),
  );
}

/** The registry that the options name: orders go there. */
export async function registryPlace(config: PlanConfig): Promise<Result<RegistryPlace>> {
  const { etcd, namespace } = config;
  if (etcd !== "") return ok({ etcd, namespace });
  if (config["ready-file"] === "") {
    return fail(
      "invalid_request",
      "Cannot give orders without the cluster's etcd: give --etcd URL (and --namespace) or --ready-file PATH",
    );
  }
  const found = await adminsInReadyFile(config["ready-file"], "planner");
  if (!found.ok) return found;
  return ok({ etcd: found.value.facts.etcd, namespace: found.value.facts.namespace });
}

/** Does something with a registry and leaves it. */
export async function withRegistry<T>(
  { etcd }: Pick<RegistryPlace, "etcd">,
  { clock, log, signal }: PlanSourceIo,
  use: (registry: Registry) => Promise<Result<T>>,
): Promise<Result<T>> {
  const registry = await connectRegistry(etcd, { clock, log, signal });
  if (!registry.ok) return registry;
  await using open = registry.value;
  return await use(open);
}

/** What one planner answers. */
export async function askPlanner<Path extends keyof Answers>(
  admin: string,
  { path, query = "", io: { clock, signal } }: {
    readonly path: Path;
    readonly query?: string;
    readonly io: PlanSourceIo;
  },
): Promise<Result<Answers[Path]>> {
  using deadline = clock.deadline(answerMs);
  try {
    const answer = await fetch(`${admin}${path}${query}`, {
      signal: AbortSignal.any([deadline.signal, signal]),
    });
    const body = await answer.json();
    if (answer.ok) return ok(body as Answers[Path]);
    const why = body?.error?.message ?? answer.status;
    return fail("internal", `The planner at ${admin} says: ${why}`);
  } catch (error) {
    const why = deadline.signal.aborted ? `no answer in ${answerMs} ms` : (error as Error).message;
    return fail("internal", `Cannot ask the planner at ${admin}: ${why}`);
  }
}

/** Lines of a history file and of its older part. */
export async function readHistoryFile(path: string): Promise<Result<FileLines>> {
  const history: HistoryLine[] = [];
  const inputs: InputLine[] = [];
  const complaints: string[] = [];
  for (const part of [`${path}.1`, path]) {
    const text = await readLinesFile(part);
    if (!text.ok) {
      if (part === path) return text;
      continue;
    }
    let bad = 0;
    for (const line of text.value.split("\n")) {
      if (line === "") continue;
      const read = readLine(line);
      if (read === undefined) bad += 1;
      else if (keptKinds.includes(read.kind)) history.push(read as HistoryLine);
      else inputs.push(read as InputLine);
    }
    if (bad > 0) complaints.push(`${bad} lines of ${part} could not be read`);
  }
  return ok({ history, inputs, complaints });
}

/** One line, as far as everything that is read of it later is there. */
function readLine(text: string): HistoryLine | InputLine | undefined {
  try {
    const line = JSON.parse(text);
    if (line?.kind === "flip") return typeof line.instance === "string" ? line : undefined;
    if (keptKinds.includes(line?.kind)) return isRecord(line.record) ? line : undefined;
    const known = ["begin", "rules", "profile", "step"].includes(line?.kind);
    return known && typeof line.by === "string" ? line : undefined;
  } catch {
    // A line that was cut off when the planner died.
    return undefined;
  }
}

function isRecord(value: unknown): boolean {
  const record = value as Record<string, unknown> | null;
  return typeof record === "object" && record !== null && Number.isInteger(record.id) &&
    typeof record.model === "string" && Array.isArray(record.moves) &&
    Array.isArray(record.candidates) && typeof record.have === "object" &&
    typeof record.want === "object";
}
