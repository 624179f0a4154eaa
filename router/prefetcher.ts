import { bytesOfU32s, encode, mostPrefetchBlocks, subjects as subjectsOf } from "@pixii/wire";
import type { RouteRequest, Subjects } from "@pixii/wire";
import type { Bus } from "@pixii/runtime";
import type { Decision } from "./core/decide.ts";
import type { PeerRun } from "./core/peer_run.ts";

/** What was told of a placed request. */
export interface Prefetched {
  /** Blocks that were named to the worker's block manager. */
  readonly blocks: number;
  /** Who else holds more of the prompt. */
  readonly peer: PeerRun | undefined;
}

/**
 * Tells the block manager of a chosen worker which blocks the request will ask for, where some of them lie on its disk or
 * with the block manager of another host: it brings them to memory while the request is on its way. Nothing waits for it, and nothing fails without it.
 */
export class Prefetcher {
  readonly #bus: Bus;
  readonly #subjects: Subjects;
  readonly #peers: (request: RouteRequest, decision: Decision) => PeerRun | undefined;

  /** `peers`: who else holds more of a prompt than the chosen worker. */
  constructor(
    { bus, namespace }: { readonly bus: Bus; readonly namespace: string },
    peers: (request: RouteRequest, decision: Decision) => PeerRun | undefined = () => undefined,
  ) {
    this.#bus = bus;
    this.#subjects = subjectsOf(namespace);
    this.#peers = peers;
  }

  /** A request was placed. */
  decided(request: RouteRequest, decision: Decision): Prefetched {
    const { rank, overlap, prefill } = decision;
    const peer = prefill?.acts === true ? undefined : this.#peers(request, decision);
    return { blocks: this.#named(request, { rank, overlap, prefill, peer }), peer };
  }

  /** Names blocks; answers how many. */
  #named(
    request: RouteRequest,
    { rank, overlap, prefill, peer }:
      & Pick<Decision, "rank" | "overlap" | "prefill">
      & Pick<Prefetched, "peer">,
  ): number {
    const { kvbm, hash: model, blockSize } = rank.card;
    // Who computes the prompt restores it; both sides of a split share a block manager.
    const held = prefill?.acts === true ? prefill.overlap : overlap;
    if (kvbm === undefined || (held.disk === 0 && peer === undefined)) return 0;
    const list = request.hashes.find((one) => one.blockSize === blockSize)?.list;
    if (list === undefined) return 0;
    const end = Math.min(list.lo.length, peer?.blocks ?? held.device + held.host + held.disk);
    const start = Math.min(held.device, end);
    const [hi, lo] = [list.hi, list.lo].map((words) =>
      bytesOfU32s(words.subarray(start, Math.min(end, start + mostPrefetchBlocks)))
    );
    if (hi.byteLength === 0) return 0;
    const { remainingMs } = request;
    const from = peer && { from: peer.kvbm, computeMs: peer.computeMs };
    const message = encode("control", { op: "prefetch", model, hi, lo, ...from, remainingMs });
    this.#bus.publish(this.#subjects.control(kvbm), message);
    return hi.byteLength / 4;
  }
}
