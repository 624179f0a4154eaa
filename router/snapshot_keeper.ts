import type { Subjects } from "@pixii/wire";
import type { Bus, Clock, Log } from "@pixii/runtime";
import type { OpenStream } from "./core/event_streams.ts";
import type { RouterState } from "./core/router_state.ts";
import type { RouterMetrics } from "./metrics.ts";
import { fetchSnapshot } from "./snapshot_fetch.ts";

/** An index keeps a block's hash at least. */
const leastBytesPerBlock = 8;
/** Snapshots fetched at a time: each may hold up to 256 MiB. */
const mostFetches = 4;

/** Fetches the snapshots that event streams need. */
export class SnapshotKeeper implements Disposable {
  readonly #options: {
    readonly bus: Bus;
    readonly clock: Clock;
    readonly log: Log;
    readonly subjects: Subjects;
    readonly state: RouterState;
    readonly metrics: RouterMetrics;
  };
  readonly #stop = new AbortController();
  #running = 0;
  #isHeld = false;

  constructor(
    options: {
      bus: Bus;
      clock: Clock;
      log: Log;
      subjects: Subjects;
      state: RouterState;
      metrics: RouterMetrics;
    },
  ) {
    this.#options = options;
  }

  /** Begins nothing while held: siblings may tell the same for less. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.look();
  }

  /** Begins what is due. */
  look(): void {
    const { state, clock, log } = this.#options;
    if (this.#stop.signal.aborted || this.#isHeld) return;
    for (const opened of state.streams.due(clock.nowMs(), mostFetches - this.#running)) {
      opened.stream.fetchBegan();
      this.#running += 1;
      this.#fetch(opened)
        .catch((error) => {
          log.error("a snapshot broke", { owner: opened.stream.source.owner, error });
          opened.stream.fetchFailed(clock.nowMs());
        })
        .finally(() => this.#running -= 1);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #fetch(opened: OpenStream): Promise<void> {
    const { bus, clock, subjects, state, log, metrics } = this.#options;
    const { stream, key } = opened;
    const { source } = stream;
    const startMs = clock.nowMs();
    // What does not fit beside the rest evicts what is colder: only the whole budget bounds it.
    const roomBlocks = Math.floor(state.streams.budget.capacityBytes / leastBytesPerBlock);
    const { signal } = this.#stop;
    const snapshot = await fetchSnapshot({ bus, subjects, source, roomBlocks, signal });
    if (signal.aborted || state.streams.get(key) !== opened) return;
    const nowMs = clock.nowMs();
    const who = { owner: source.owner, tier: source.tier };
    if (snapshot.ok) {
      const result = state.swap(key, snapshot.value, nowMs);
      metrics.snapshots.add(1, { result });
      metrics.snapshotSeconds.observe((nowMs - startMs) / 1000);
      if (result === "full") {
        metrics.indexFull.add();
        log.warn("the index has no room for a worker: its blocks do not count", {
          ...{ ...who, capacityBytes: state.streams.budget.capacityBytes },
        });
      } else log.debug("snapshot taken", { ...who, result, blocks: stream.blocks });
      return;
    }
    const { code, message } = snapshot.error;
    if (code === "not_found" && source.tier !== "device") {
      metrics.snapshots.add(1, { result: "absent" });
      stream.absent();
      return;
    }
    metrics.snapshots.add(1, { result: code });
    stream.fetchFailed(nowMs);
    if (stream.state === "degraded") log.warn("no snapshot to be had", { ...who, reason: message });
    else log.debug("snapshot failed", { ...who, reason: message });
  }
}
