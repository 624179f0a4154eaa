import type { InstanceId, LoadReport, WorkerRank } from "@pixii/wire";
import type { EventSource } from "./core/event_source.ts";
import type { StreamState } from "./core/stream_change.ts";
import type { Rank } from "./core/rank.ts";
import type { RouterState } from "./core/router_state.ts";
import { trustView } from "./truth_view.ts";
import type { TrustView } from "./truth_view.ts";

/** Whether a rank takes new work, and why not. */
export type RankState = "live" | "suspect" | "dead" | "hung" | "draining" | "stranger";

/** States of ranks, for gauges. */
export const rankStates: readonly RankState[] = [
  ...["live", "suspect", "dead", "hung", "draining", "stranger"] as const,
];

/** One event source as `/index` shows it. */
export interface SourceView extends EventSource {
  readonly state: StreamState;
  readonly epoch: InstanceId | undefined;
  readonly number: number;
  readonly blocks: number;
  readonly buffered: number;
}

/** What `/index` answers. */
export interface IndexView {
  readonly blocks: number;
  readonly bytes: number;
  readonly capacityBytes: number;
  /** Block copies forgotten for want of memory, since the start. */
  readonly evictedBlocks: number;
  readonly sources: readonly SourceView[];
}

/** One rank as `/workers` shows it. */
export interface RankView {
  readonly model: string;
  readonly worker: WorkerRank;
  readonly state: RankState;
  readonly silentMs: number;
  readonly index: StreamState | undefined;
  readonly ledger: {
    readonly bookings: number;
    readonly prefillTokens: number;
    readonly blocks: number;
    /** Told of by reports and booked by nobody. */
    readonly otherRequests: number;
  };
  readonly trust: TrustView;
  readonly report: LoadReport | undefined;
}

/** The event sources. */
export function indexView({ streams }: RouterState): IndexView {
  const sources = Array.from(streams.all(), ({ stream }): SourceView => ({
    ...stream.source,
    ...{ state: stream.state, epoch: stream.epoch, number: stream.number },
    ...{ blocks: stream.blocks, buffered: stream.buffered },
  }));
  const { usedBlocks: blocks, usedBytes: bytes, capacityBytes, evictedBlocks } = streams.budget;
  return { blocks, bytes, capacityBytes, evictedBlocks, sources };
}

/** The ranks of all models. */
export function workersView(state: RouterState, nowMs: number): readonly RankView[] {
  return [...state.fleet.models.values()].flatMap((model) =>
    model.ranks.map((rank): RankView => {
      const { load, worker, report } = rank;
      return {
        ...{ model: model.name, worker, state: rankState(state, rank, nowMs) },
        silentMs: state.liveness.silentMs(worker.instance, nowMs),
        index: state.streams.get(rank.sources[0])?.stream.state,
        ledger: {
          ...{ bookings: load.bookings, prefillTokens: load.prefillTokens, blocks: load.blocks },
          otherRequests: load.other.requests,
        },
        trust: trustView(state, rank),
        report,
      };
    })
  );
}

/** Whether a rank takes new work. */
export function rankState(state: RouterState, rank: Rank, nowMs: number): RankState {
  if (rank.isStranger) return "stranger";
  const heard = state.liveness.state(rank.worker.instance, nowMs);
  if (heard !== "live") return heard;
  if (rank.report?.draining) return "draining";
  return (rank.report?.stepAgeMs ?? 0) >= state.hungStepMs ? "hung" : "live";
}
