import { decode, decodeKvEvents, encode, fail, limits, messageNameOf, ok } from "@pixii/wire";
import type { Control, KvEventBatch, Message, MessageName, Result, Subjects } from "@pixii/wire";
import type { Bus } from "@pixii/runtime";
import type { EventSource } from "./core/event_source.ts";
import { Sha256 } from "./digest.ts";

/** A worker freezes a snapshot between two engine steps: a slow prefill chunk may come first. */
const headMs = 5_000;
/** A part is only read from memory. */
const partMs = 2_000;
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
  const { model, dpRank, tier } = fetch.source;
  const ask = { op: "snapshot" as const, model, dpRank, tier };
  const head = await request(fetch, "snapshotHead", { ask, timeoutMs: headMs });
  if (!head.ok) return head;
  const { id, totalBytes, digest } = head.value;
  const leastBlocks = totalBytes / mostBytesPerBlock;
  if (totalBytes > limits.assembledBytes || leastBlocks > fetch.roomBlocks + 2) {
    return fail(
      "payload_too_large",
      `Cannot take a snapshot of ${totalBytes} bytes: the index has room for ${fetch.roomBlocks} blocks; raise --index-max-blocks`,
    );
  }
  const bytes = new Uint8Array(totalBytes);
  const hash = new Sha256();
  for (let offset = 0; offset < totalBytes;) {
    const part = await request(fetch, "part", {
      ask: { op: "snapshot-part", id, offset },
      timeoutMs: partMs,
    });
    if (!part.ok) return part;
    const { data } = part.value;
    const isPromised = part.value.offset === offset && part.value.totalBytes === totalBytes &&
      data.byteLength > 0 && offset + data.byteLength <= totalBytes;
    if (!isPromised) return invalid("a part is not the one that was asked for");
    bytes.set(data, offset);
    hash.update(data);
    offset += data.byteLength;
  }
  if (hash.hex() !== digest) return invalid("its digest is wrong");
  const batch = decodeKvEvents(bytes, limits.assembledBytes);
  return batch.ok ? check(batch.value, head.value, fetch.source) : batch;
}

function check(
  batch: KvEventBatch,
  head: Message<"snapshotHead">,
  source: EventSource,
): Result<KvEventBatch> {
  const isOurs = batch.owner === source.owner && batch.model === source.model &&
    batch.dpRank === source.dpRank && batch.tier === source.tier &&
    batch.blockSize === source.blockSize;
  if (!isOurs) return invalid("it is of another source");
  const isDated = batch.epoch === head.epoch && batch.number === head.number;
  return isDated ? ok(batch) : invalid("its number is not the one that was promised");
}

async function request<Name extends MessageName>(
  { bus, subjects, source, signal }: SnapshotFetch,
  name: Name,
  options: { readonly ask: Control; readonly timeoutMs: number },
): Promise<Result<Message<Name>>> {
  const { ask, timeoutMs } = options;
  const subject = subjects.control(source.owner);
  const reply = await bus.request(subject, encode("control", ask), { timeoutMs, signal });
  if (!reply.ok) return reply;
  if (messageNameOf(reply.value) === "refusal") {
    const refusal = decode("refusal", reply.value);
    return refusal.ok ? { ok: false, error: refusal.value.error } : refusal;
  }
  return decode(name, reply.value);
}

function invalid(what: string): Result<never> {
  return fail("artifact_invalid", `Cannot take the snapshot: ${what}; a new one is asked for`);
}
