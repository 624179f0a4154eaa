import {
  encode,
  encodeKvEvents,
  hexOfU64,
  kvEventBatches,
  limits,
  mostSessionsPerBatch,
  xxh64,
} from "@pixii/wire";
import type { InstanceId, KvEventBatch, LedgerEntry } from "@pixii/wire";
import { sourceKey } from "./event_source.ts";
import type { OpenStream } from "./event_streams.ts";
import type { RouterState } from "./router_state.ts";

/** Two routers that have applied the same have the same digests. */
export interface ReplicaDigest {
  /** Of all confirmed bookings. */
  readonly ledger: string;
  /** Of all sources with their epochs, numbers and blocks. */
  readonly index: string;
  readonly bookings: number;
  readonly blocks: number;
}

/** What a router has applied, in short. O(sources + bookings). */
export function replicaDigest({ streams, ledger }: RouterState): ReplicaDigest {
  const encoder = new TextEncoder();
  let [hi, lo] = [0, 0];
  for (const { key, stream } of streams.all()) {
    const { epoch, number, blocks } = stream;
    // A source without a word is as good as none.
    if (number === 0) continue;
    const hash = xxh64(encoder.encode(`${key} ${epoch} ${number} ${blocks}`));
    hi ^= hash.hi;
    lo ^= hash.lo;
  }
  return {
    ...{ ledger: ledger.digest(), index: hexOfU64(hi, lo) },
    ...{ bookings: ledger.size - ledger.unconfirmed, blocks: streams.budget.usedBlocks },
  };
}

/** True where a source may be told to a sibling or written to a file: complete, and not in doubt. */
export function isTellable(state: RouterState, { key, stream }: OpenStream): boolean {
  const trust = state.truth.audits.factsOf(key)?.trust ?? "exact";
  return stream.state === "exact" && stream.number > 0 && trust === "exact";
}

/** Everything indexed of a source, as `kvEvents` messages of its last number; together they are its snapshot. O(blocks). */
export function sourceMessages({ stream, index, slot }: OpenStream): Uint8Array[] {
  const { epoch, number } = stream;
  const { owner, model, dpRank, tier, blockSize } = stream.source;
  const batch = {
    ...{ owner, epoch: epoch ?? owner, model, dpRank, tier, blockSize, number, cacheGroup: 0 },
  };
  const pieces = [...kvEventBatches([...index.snapshot(slot)])];
  if (pieces.length === 0) pieces.push([]);
  return pieces.map((events) => encodeKvEvents({ ...batch, events }));
}

/** The ledger as `ledgerBatch` messages. O(bookings). */
export function ledgerMessages(state: RouterState, from: InstanceId): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let entries: LedgerEntry[] = [];
  for (const entry of state.ledger.entries()) {
    entries.push(entry);
    if (entries.length < limits.ledgerEntries) continue;
    messages.push(encode("ledgerBatch", { from, entries }));
    entries = [];
  }
  if (entries.length > 0) messages.push(encode("ledgerBatch", { from, entries }));
  return messages;
}

/** The sessions as `sessionBatch` messages. O(sessions). */
export function sessionMessages({ sessions }: RouterState, nowMs: number): Uint8Array[] {
  const all = [...sessions.entries(nowMs)];
  const messages: Uint8Array[] = [];
  for (let at = 0; at < all.length; at += mostSessionsPerBatch) {
    messages.push(encode("sessionBatch", { sessions: all.slice(at, at + mostSessionsPerBatch) }));
  }
  return messages;
}

/** Joins the pieces of each source to one snapshot; a source whose pieces contradict each other is left out. */
export function joinPieces(pieces: readonly KvEventBatch[]): KvEventBatch[] {
  const sources = new Map<string, KvEventBatch[]>();
  for (const piece of pieces) {
    const key = sourceKey(piece);
    const same = sources.get(key);
    if (same === undefined) sources.set(key, [piece]);
    else same.push(piece);
  }
  const joined: KvEventBatch[] = [];
  for (const [first, ...rest] of sources.values()) {
    const isOne = rest.every((piece) =>
      piece.epoch === first.epoch && piece.number === first.number &&
      piece.blockSize === first.blockSize
    );
    if (!isOne) continue;
    joined.push({ ...first, events: [first, ...rest].flatMap((piece) => piece.events) });
  }
  return joined;
}
