import { decodeRecord, keys } from "@pixii/wire";
import type { RoleFlip } from "@pixii/wire";
import type { RegistryChange, RunningService, VirtualClock } from "@pixii/runtime";
import type { HistoryLine, PlanView } from "@pixii/planner";
import type { Fault } from "./core/fault.ts";
import type { SimCluster } from "./sim_cluster.ts";
import type { SimProgram } from "./sim_program.ts";
import type { ActingShape } from "./sim_shape.ts";

/** A change of role may be seen to have ended this much after its bound: workers look, and then tell. */
const graceMs = 1_000;
/** Decisions looked at at a time: more than a planner makes between two looks. */
const lastDecisions = 32;

/** What the checks look at. */
export interface ActingParts {
  readonly cluster: SimCluster;
  readonly clock: VirtualClock;
  readonly acting: ActingShape;
  /** Faults by the clock of the run. */
  readonly faults: readonly Fault[];
  broken(message: string): void;
}

interface Flipping {
  readonly id: string;
  readonly sinceMs: number;
}

/**
 * What holds where planners act: one at a time does, wishes come from the one that holds the claim, no worker is between two
 * roles for longer than its bound, and no plan has more workers than the budget.
 */
export class ActingChecks {
  readonly #parts: ActingParts;
  /** The planner that holds the claim, as the registry has it. */
  #leader: string | undefined;
  readonly #wishes = new Map<string, string>();
  readonly #flipping = new Map<string, Flipping>();
  readonly #done = new Set<string>();

  private constructor(parts: ActingParts) {
    this.#parts = parts;
  }

  /** Begins to look. */
  static async open(parts: ActingParts): Promise<ActingChecks> {
    const checks = new ActingChecks(parts);
    const { registry } = parts.cluster;
    const names = keys("default");
    const snapshot = () => {};
    await registry.watch(names.leader, { snapshot, change: (one) => checks.#claimed(one) });
    await registry.watch(names.desires, { snapshot, change: (one) => checks.#wished(one) });
    return checks;
  }

  /** Changes of roles that were made. */
  get flips(): number {
    return this.#done.size;
  }

  /** One look at all planners and workers. O(programs). */
  look(): void {
    const { cluster } = this.#parts;
    const leaders: string[] = [];
    for (const program of cluster.programs) {
      if (!program.isUp) continue;
      const running = program.life!.running!;
      if (program.name.startsWith("planner") && detailsOf(running).leads === true) {
        leaders.push(program.name);
      }
      if (program.name.startsWith("worker")) this.#lookAtRole(program, running);
    }
    if (leaders.length > 1) this.#parts.broken(`${leaders.join(" and ")} act at the same time`);
  }

  /** One look at what was decided lately. O(decisions looked at). */
  lookAtPlans(): void {
    for (const { name, life, isUp } of this.#parts.cluster.programs) {
      const routes = isUp && name.startsWith("planner")
        ? life!.running!.service.adminRoutes
        : undefined;
      if (routes === undefined) continue;
      const { budgetGpus, problems } = routes["/plan"](new URL("http://sim/plan")) as PlanView;
      const failed = problems.find((one) => one.startsWith("A step of the planner failed"));
      if (failed !== undefined) this.#parts.broken(`${name}: ${failed}`);
      const asked = new URL(`http://sim/plan/history?last=${lastDecisions}`);
      const { lines } = routes["/plan/history"](asked) as { lines: readonly HistoryLine[] };
      for (const line of lines) if (line.kind === "plan") this.#lookAtPlan(line, budgetGpus);
    }
  }

  /** What is not at rest yet: changes under way, wishes that nobody tidied up. */
  restProblems(): readonly string[] {
    const problems: string[] = [];
    for (const [name, { id }] of this.#roles()) {
      if (id !== undefined) problems.push(`${name} is still changing its role for ${id}`);
    }
    if (this.nobodyAnswers()) problems.push("all workers compute prompts, and none answers");
    for (const [key, id] of this.#wishes) problems.push(`the wish ${id} is still at ${key}`);
    return problems;
  }

  /** True where all workers compute prompts for others: one of them is to change. */
  nobodyAnswers(): boolean {
    const roles = this.#roles();
    return roles.length > 0 && roles.every(([, { role }]) => role === "prefill");
  }

  /** How many workers have each role, like `prefill 1, decode 2`. */
  rolesText(): string {
    const counts = new Map<string, number>([["prefill", 0], ["decode", 0], ["both", 0]]);
    for (const [, { role }] of this.#roles()) counts.set(role, counts.get(role)! + 1);
    return [...counts].map(([role, count]) => `${role} ${count}`).join(", ");
  }

  #roles(): [string, { readonly role: string; readonly id: string | undefined }][] {
    return this.#parts.cluster.programs.flatMap(({ name, life, isUp }) => {
      if (!isUp || !name.startsWith("worker")) return [];
      const { role, flip } = detailsOf(life!.running!);
      const id = flip?.state === "flipping" ? flip.id : undefined;
      return [[name, { role: role ?? "none", id }]];
    });
  }

  #claimed(change: RegistryChange): void {
    const record = change.kind === "put" ? decodeRecord("leader", change.entry.value) : undefined;
    this.#leader = record?.ok ? record.value.instance : undefined;
  }

  #wished(change: RegistryChange): void {
    if (change.kind === "delete") return void this.#wishes.delete(change.key);
    const { key, value } = change.entry;
    const wish = decodeRecord("desired", value);
    if (!wish.ok) return this.#parts.broken(`a wish that nobody can read: ${value}`);
    const { id, by } = wish.value;
    this.#wishes.set(key, id);
    if (by === this.#leader) return;
    this.#parts.broken(`${by} wished ${id}, and ${this.#leader ?? "nobody"} has the claim to act`);
  }

  #lookAtRole({ name }: SimProgram, running: RunningService): void {
    const { clock, acting: { boundMs }, broken } = this.#parts;
    const { flip } = detailsOf(running);
    if (flip?.state === "done") this.#done.add(flip.id);
    if (flip?.state !== "flipping") return void this.#flipping.delete(name);
    const nowMs = clock.nowMs();
    const known = this.#flipping.get(name);
    if (known?.id !== flip.id) this.#flipping.set(name, { id: flip.id, sinceMs: nowMs });
    else if (nowMs - known.sinceMs > boundMs + graceMs + this.#stoodMs(name, known.sinceMs)) {
      broken(`${name} is between two roles since ${((nowMs - known.sinceMs) / 1000).toFixed(1)} s`);
    }
  }

  /** How long a program may have stood still since then. */
  #stoodMs(name: string, sinceMs: number): number {
    return this.#parts.faults.reduce(
      (sum, { kind, target, atMs, forMs }) =>
        kind === "slow" && target === name && atMs + forMs >= sinceMs ? sum + forMs : sum,
      0,
    );
  }

  #lookAtPlan({ record, by }: HistoryLine & { kind: "plan" }, budgetGpus: number): void {
    const { have, moves, want, id } = record;
    const there = have.prefill + have.decode + have.both;
    const starts = moves.filter(({ kind }) => kind === "start").length;
    const stops = moves.filter(({ kind }) => kind === "stop").length;
    const most = Math.max(budgetGpus, there);
    const wanted = want.prefill + want.decode + want.both;
    if (wanted <= most && (starts === 0 || there + starts - stops <= budgetGpus)) return;
    const what = `wants ${wanted}, starts ${starts} and stops ${stops} of ${there} workers`;
    this.#parts.broken(`decision ${by}.${id} ${what}, and the budget is ${budgetGpus}`);
  }
}

/** What health says of roles and of who leads. */
interface Details {
  readonly leads?: boolean;
  readonly role?: string;
  readonly flip?: RoleFlip;
}

function detailsOf({ service }: RunningService): Details {
  return service.health().details as Details;
}
