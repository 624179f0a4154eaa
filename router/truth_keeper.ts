import { subjects as subjectsOf } from "@pixii/wire";
import type { InstanceId, Subjects } from "@pixii/wire";
import type { ServiceContext } from "@pixii/runtime";
import { Auditor } from "./auditor.ts";
import { trustStates } from "./core/trust.ts";
import type { TruthCounts } from "./core/truth.ts";
import type { ApproxCounts } from "./core/approximations.ts";
import type { RouterState } from "./core/router_state.ts";
import type { RouterMetrics } from "./metrics.ts";
import { PeerDesk } from "./peer_desk.ts";
import { restoreFromPeers, takeBundle } from "./peer_restore.ts";
import { writeBundle } from "./snapshot_bundle.ts";
import { readSnapshotFile, writeSnapshotFile } from "./snapshot_file.ts";
import type { SnapshotKeeper } from "./snapshot_keeper.ts";

/** What the keeper works with. */
export interface TruthKeeperParts {
  readonly context: ServiceContext;
  readonly state: RouterState;
  readonly metrics: RouterMetrics;
  readonly snapshots: SnapshotKeeper;
  /** Other routers that are ready, as the registry has them. */
  readonly peers: ReadonlySet<InstanceId>;
  /** Path of the snapshot file; empty for none. */
  readonly file: string;
  readonly fileEveryMs: number;
}

/** The shell of what keeps the index honest: asks siblings at the start, answers them, audits, writes the file. */
export class TruthKeeper implements Disposable {
  readonly #parts: TruthKeeperParts;
  readonly #subjects: Subjects;
  readonly #open = new DisposableStack();
  readonly #stop = new AbortController();
  readonly #desk: PeerDesk;
  readonly #auditor: Auditor;
  #isRestored = false;
  #writing: Promise<void> | undefined;
  readonly #told: TruthCounts = { joined: 0, outdated: 0, unheard: 0, countedBack: 0 };
  readonly #toldApprox: ApproxCounts = { added: 0, expired: 0, pruned: 0, replaced: 0 };

  constructor(parts: TruthKeeperParts) {
    this.#parts = parts;
    const { context, state, metrics, snapshots } = parts;
    const { bus, clock, log, namespace } = context;
    this.#subjects = subjectsOf(namespace);
    const shared = { bus, clock, log, subjects: this.#subjects, state, metrics };
    this.#desk = this.#open.use(new PeerDesk(shared));
    this.#auditor = this.#open.use(new Auditor(shared));
    // Workers are asked only for what siblings did not tell.
    snapshots.hold(true);
  }

  /** True once what was to be had of siblings or of the file is in: from then on this router may decide. */
  get isRestored(): boolean {
    return this.#isRestored;
  }

  /** Asks siblings, else reads the file; then answers siblings itself. Never fails: workers are asked for the rest. */
  async restore(): Promise<void> {
    const { context, snapshots, file, fileEveryMs } = this.#parts;
    const { clock, log } = context;
    try {
      await this.#restore();
    } catch (error) {
      log.error("what was known could not be restored: the workers are asked", { error });
    }
    if (this.#stop.signal.aborted) return;
    this.#isRestored = true;
    snapshots.hold(false);
    this.#desk.open();
    if (file !== "") this.#open.use(clock.every(fileEveryMs, () => void this.#write()));
  }

  /** The cards have changed. */
  cardsChanged(): void {
    this.#auditor.lookAtProofs();
  }

  /** Gives no more answers and writes the file a last time; at the drain. */
  async close(): Promise<void> {
    this.#desk[Symbol.dispose]();
    if (this.#parts.file === "" || !this.#isRestored) return;
    await this.#writing;
    await this.#write();
  }

  /** Sets the gauges, and counts what has happened since the last time. */
  measure(): void {
    const { state, metrics } = this.#parts;
    const { truth, fleet } = state;
    const trust = truth.audits.counts();
    for (const name of trustStates) metrics.trust.set(trust[name], { state: name });
    metrics.approxBlocks.set(truth.approx.blocks);
    const proofs = { proven: 0, none: 0, foreign: 0 };
    for (const { ranks } of fleet.models.values()) {
      for (const { proof } of ranks) proofs[proof ?? "none"] += 1;
    }
    for (const proof of ["proven", "none", "foreign"] as const) {
      metrics.hashProofs.set(proofs[proof], { proof });
    }
    for (const why of ["added", "expired", "pruned", "replaced"] as const) {
      const more = truth.approx.counts[why] - this.#toldApprox[why];
      if (more > 0) metrics.approxChanges.add(more, { why });
      this.#toldApprox[why] += more;
    }
    for (const result of ["joined", "outdated", "unheard"] as const) {
      const more = truth.counts[result] - this.#told[result];
      if (more > 0) metrics.restoredSources.add(more, { result });
      this.#told[result] += more;
    }
    const back = truth.counts.countedBack - this.#told.countedBack;
    if (back > 0) metrics.countedBack.add(back);
    this.#told.countedBack += back;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#open[Symbol.dispose]();
  }

  async #restore(): Promise<void> {
    const { context, state, metrics, peers, file } = this.#parts;
    const { bus, clock, log } = context;
    const others = [...peers].filter((peer) => peer !== state.router).sort();
    const parts = { bus, clock, log, subjects: this.#subjects, state, metrics };
    if (await restoreFromPeers(others, parts, this.#stop.signal)) return;
    if (file === "") return;
    const read = await readSnapshotFile(file);
    const told = read.ok ? takeBundle(read.value, "file", parts) : read;
    metrics.restores.add(1, { from: "file", result: told.ok ? "taken" : told.error.code });
    if (!told.ok && told.error.code !== "not_found") {
      log.warn("the snapshot file is of no use", { file, reason: told.error.message });
    }
  }

  #write(): Promise<void> {
    return this.#writing ??= this.#writeOnce().finally(() => this.#writing = undefined);
  }

  async #writeOnce(): Promise<void> {
    const { context, state, metrics, file } = this.#parts;
    const { clock, log } = context;
    const bundle = await writeBundle(state, clock, { withLedger: false });
    const written = await writeSnapshotFile(file, bundle);
    metrics.snapshotWrites.add(1, { result: written.ok ? "written" : written.error.code });
    if (!written.ok) {
      log.warn("the snapshot file was not written", { reason: written.error.message });
    }
  }
}
