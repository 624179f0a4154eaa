import { decodeKvEvents, fail, limits, ok } from "@pixii/wire";
import type { KvEventBatch, Result, SnapshotHead, Subjects } from "@pixii/wire";
import type { Bus } from "@pixii/runtime";
import type { EventSource } from "./core/event_source.ts";
import { fetchParts, invalidSnapshot } from "./parts_fetch.ts";

/** A worker freezes a snapshot between two engine steps: a slow prefill chunk may come first. */
const headMs = 5_000;
/** Most bytes of a block in a snapshot: the header of a run of one included. */
const mostBytesPerBlock = 24;

/** What a fetch works with. */
export interface SnapshotFetch {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly source: EventSource;
  /** Blocks that the index has room for. */
  readonly roomBlocks: number;
  readonly signal: AbortSignal;
}

/**
 * Asks an owner for all its blocks of one source and reads them part by part. Fails with what the owner or the bus says
 * (`not_found`: it has no such source), `payload_too_large` where the index has no room for it, `artifact_invalid`
 * where size, digest or content are not what was promised.
 */
export async function fetchSnapshot(fetch: SnapshotFetch): Promise<Result<KvEventBatch>> {
  const { bus, subjects, source, signal, roomBlocks } = fetch;
  const { model, dpRank, tier } = source;
  const fetched = await fetchParts({
    ...{ bus, signal, headMs, subject: subjects.control(source.owner) },
    ask: { op: "snapshot", model, dpRank, tier },
    accept: ({ totalBytes }) => {
      if (totalBytes / mostBytesPerBlock <= roomBlocks + 2) return ok(undefined);
      return fail(
        "payload_too_large",
        `Cannot take a snapshot of ${totalBytes} bytes: the index has room for ${roomBlocks} blocks; raise --index-max-bytes`,
      );
    },
  });
  if (!fetched.ok) return fetched;
  const batch = decodeKvEvents(fetched.value.bytes, limits.assembledBytes);
  return batch.ok ? check(batch.value, fetched.value.head, source) : batch;
}

function check(
  batch: KvEventBatch,
  head: SnapshotHead,
  source: EventSource,
): Result<KvEventBatch> {
  const isOurs = batch.owner === source.owner && batch.model === source.model &&
    batch.dpRank === source.dpRank && batch.tier === source.tier &&
    batch.blockSize === source.blockSize;
  if (!isOurs) return invalidSnapshot("it is of another source");
  const isDated = batch.epoch === head.epoch && batch.number === head.number;
  return isDated ? ok(batch) : invalidSnapshot("its number is not the one that was promised");
}
