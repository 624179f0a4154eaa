import { encode } from "@pixii/wire";
import type { InstanceId, ModelCard, RoleState, Subjects } from "@pixii/wire";
import type { Bus, Clock } from "@pixii/runtime";
import type { ActiveStreams } from "./core/stream_book.ts";
import type { Engine, EngineLoad } from "./engine.ts";
import { KvPublisher } from "./kv_publisher.ts";
import type { WorkerMetrics } from "./metrics.ts";

/** What the ranks of a worker share. */
export interface RankParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly subjects: Subjects;
  readonly card: ModelCard;
  readonly metrics: WorkerMetrics;
}

/** One rank behind the shell: its engine, its KV events, its load reports. */
export class WorkerRank {
  readonly dpRank: number;
  readonly engine: Engine;
  readonly kv: KvPublisher;
  readonly #parts: RankParts;
  /** Number of the engine's last step. */
  step = 0;

  constructor(engine: Engine, dpRank: number, parts: RankParts) {
    this.engine = engine;
    this.dpRank = dpRank;
    this.kv = new KvPublisher({ ...parts, dpRank });
    this.#parts = parts;
  }

  /** Publishes a load report, and answers the load. */
  report(active: ActiveStreams, state: RoleState & { readonly draining: boolean }): EngineLoad {
    const { bus, subjects, card } = this.#parts;
    const load = this.engine.load();
    const report = encode("loadReport", {
      ...load,
      instance: card.instance,
      dpRank: this.dpRank,
      model: card.hash,
      role: state.role,
      flip: state.flip,
      draining: state.draining,
      maxSeqs: card.maxSeqs,
      kvEventNumber: this.kv.number,
      activeStreams: active.streams,
      activeDigestHi: active.digestHi,
      activeDigestLo: active.digestLo,
    });
    // Latest wins: a report the bus refuses is made good by the next.
    bus.publish(subjects.load(card.instance as InstanceId), report, { isPatient: true });
    return load;
  }
}

/** The loads of all ranks as one. */
export function sumOf(loads: readonly EngineLoad[]): Omit<EngineLoad, "stepAgeMs"> {
  const sum = (key: keyof EngineLoad) => loads.reduce((total, load) => total + load[key], 0);
  return {
    running: sum("running"),
    waiting: sum("waiting"),
    prefillTokens: sum("prefillTokens"),
    activeBlocks: sum("activeBlocks"),
    cachedBlocks: sum("cachedBlocks"),
    totalBlocks: sum("totalBlocks"),
    stepCount: sum("stepCount"),
    prefillRate: sum("prefillRate"),
    decodeRate: sum("decodeRate"),
  };
}
