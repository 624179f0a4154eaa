import { z } from "zod";
import {
  bytes,
  count,
  finite,
  instanceId,
  label,
  modelHash,
  streamKey,
  u16,
  u32,
} from "./field.ts";
import { handoverWords } from "./handover.ts";
import { tiers } from "./kv_events.ts";
import { roles } from "./role.ts";

/** Most blocks of one audit. */
export const mostAuditBlocks = 256;

/** Most blocks of one prefetch. */
export const mostPrefetchBlocks = 4_096;

/** Everything sent to `ctl.<id>`, told apart by `op`. */
export const control = z.discriminatedUnion("op", [
  /** End this stream; published, no reply; cancelling an unknown stream is no error. */
  z.object({ op: z.literal("cancel"), ...streamKey.shape }),
  /** frontend -> router, published: this queued route request is no longer wanted; an unknown one is no error. */
  z.object({ op: z.literal("cancel-route"), ...streamKey.shape }),
  /** frontend -> worker every 500 ms, published: the frontend's live streams here and how far it has read each. */
  z.object({
    op: z.literal("renew"),
    frontend: instanceId,
    /** (tag, next output index expected): acknowledges all before it. */
    streams: z.array(z.tuple([u32, u32])).max(65_536),
  }),
  /** frontend -> worker, request: the reply is a step frame with this stream's entries from `fromIndex`, or a refusal `stream_unknown`. */
  z.object({ op: z.literal("resume"), ...streamKey.shape, fromIndex: u32 }),
  /** frontend -> decode worker, published: how the prefill leg of this stream ended; of an unknown one it is no error. */
  z.object({ op: z.literal("handover"), ...streamKey.shape, word: z.enum(handoverWords) }),
  /** Anyone -> owner, request: the reply is a `Part` of the artifact from byte `offset`, or a refusal. */
  z.object({ op: z.literal("artifact"), digest: label, offset: count }),
  /**
   * router -> owner, request: freezes a snapshot of the owner's blocks; the reply is a `SnapshotHead`, or `not_found`
   * where it has no such tier. The fields say which of its event sources; an owner with only one may pass over them.
   */
  z.object({
    op: z.literal("snapshot"),
    model: modelHash.optional(),
    dpRank: u16.optional(),
    tier: z.enum(tiers).optional(),
  }),
  /** router -> whoever froze it, request: the reply is a `Part` of the frozen snapshot `id`. */
  z.object({ op: z.literal("snapshot-part"), id: u32, offset: count }),
  /**
   * router -> owner, request: which of these blocks does the source hold? The reply is an `AuditAnswer`, or a refusal.
   * At most `mostAuditBlocks` RouteHashes, in two lists of u32 LE of equal length.
   */
  z.object({
    op: z.literal("audit"),
    model: modelHash,
    dpRank: u16,
    tier: z.enum(tiers),
    hi: bytes(4, 4 * mostAuditBlocks),
    lo: bytes(4, 4 * mostAuditBlocks),
  }),
  /**
   * router -> kvbm, published: a request that waits will ask for these blocks: they are brought to the host tier and kept
   * there for some seconds. RouteHashes in two lists of u32 LE of equal length, first block first.
   */
  z.object({
    op: z.literal("prefetch"),
    model: modelHash,
    hi: bytes(4, 4 * mostPrefetchBlocks),
    lo: bytes(4, 4 * mostPrefetchBlocks),
    /** Another block manager that holds them, where this one does not. */
    from: instanceId.optional(),
    /** What computing those of the blocks that `from` holds and this one does not takes the worker: no use in a slower pull. */
    computeMs: finite.min(0).optional(),
    /** Of the request: of no use after it. */
    remainingMs: count,
  }),
  /**
   * router -> router, request: freezes what the asked one knows (index and ledger); the reply is a `SnapshotHead` of a
   * bundle of `ledgerBatch`, `sessionBatch` and `kvEvents` messages; its epoch is the asked router and its number that one's state version.
   */
  z.object({ op: z.literal("peer-snapshot"), from: instanceId }),
  /**
   * Anyone -> worker, request: work of the old kind drains, then the worker has this role; the reply is a `RoleFlip` as it
   * stands now, later ones come with the load reports. The same `id` again changes nothing. Given up after `boundMs`, or the
   * worker's own bound.
   */
  z.object({
    op: z.literal("role"),
    id: label.min(1),
    role: z.enum(roles),
    reason: label,
    boundMs: u32.min(1).optional(),
  }),
]);
/** A control message. */
export type Control = z.infer<typeof control>;

/** One piece of something larger than a message. */
export const part = z.object({
  offset: count,
  /** Size of the whole. */
  totalBytes: count,
  data: bytes(),
});
/** One piece of something larger than a message. */
export type Part = z.infer<typeof part>;

/** A frozen snapshot of an owner's blocks, to be fetched in parts within 30 s. */
export const snapshotHead = z.object({
  id: u32,
  /** The epoch (owner's instance) and the number of the last event batch the snapshot includes. */
  epoch: instanceId,
  number: count,
  totalBytes: count,
  /** sha256 of the whole, hex. */
  digest: label,
});
/** A frozen snapshot of an owner's blocks. */
export type SnapshotHead = z.infer<typeof snapshotHead>;

/** Which of the blocks that an audit asked for the owner holds. */
export const auditAnswer = z.object({
  /** It is true after the event batch of this number, in this epoch. */
  epoch: instanceId,
  number: count,
  /** A byte per block that was asked for, in order: 1 = held. */
  held: bytes(1, mostAuditBlocks),
});
/** Which of the blocks that an audit asked for the owner holds. */
export type AuditAnswer = z.infer<typeof auditAnswer>;
