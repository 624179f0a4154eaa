import { decode, encode, fail, limits, messageNameOf, ok } from "@pixii/wire";
import type { Control, Message, MessageName, Result, SnapshotHead } from "@pixii/wire";
import type { Bus } from "@pixii/runtime";
import { Sha256 } from "./digest.ts";

/** A part is only read from memory. */
const partMs = 2_000;

/** What a fetch works with. */
export interface PartsFetch {
  readonly bus: Bus;
  /** Control subject of whoever froze it. */
  readonly subject: string;
  /** What freezes it; the reply is a `SnapshotHead`. */
  readonly ask: Control;
  /** Longest wait for the head. */
  readonly headMs: number;
  readonly signal: AbortSignal;
  /** Whether a snapshot of this size is wanted. */
  readonly accept?: (head: SnapshotHead) => Result<void>;
}

/** A frozen snapshot as it came. */
export interface Fetched {
  readonly head: SnapshotHead;
  readonly bytes: Uint8Array;
}

/**
 * Has somebody freeze a snapshot and reads it part by part. Fails with what the asked one or the bus says, with what
 * `accept` says, `payload_too_large` over `limits.assembledBytes`, `artifact_invalid` where size or digest are not what
 * was promised.
 */
export async function fetchParts(fetch: PartsFetch): Promise<Result<Fetched>> {
  const head = await askControl({ ...fetch, timeoutMs: fetch.headMs }, "snapshotHead");
  if (!head.ok) return head;
  const { id, totalBytes, digest } = head.value;
  if (totalBytes > limits.assembledBytes) {
    return fail(
      "payload_too_large",
      `Cannot take a snapshot of ${totalBytes} bytes: at most ${limits.assembledBytes}`,
    );
  }
  const accepted = fetch.accept?.(head.value) ?? ok(undefined);
  if (!accepted.ok) return accepted;
  const bytes = new Uint8Array(totalBytes);
  const hash = new Sha256();
  for (let offset = 0; offset < totalBytes;) {
    const part = await askControl({
      ...fetch,
      ask: { op: "snapshot-part", id, offset },
      timeoutMs: partMs,
    }, "part");
    if (!part.ok) return part;
    const { data } = part.value;
    const isPromised = part.value.offset === offset && part.value.totalBytes === totalBytes &&
      data.byteLength > 0 && offset + data.byteLength <= totalBytes;
    if (!isPromised) return invalidSnapshot("a part is not the one that was asked for");
    bytes.set(data, offset);
    hash.update(data);
    offset += data.byteLength;
  }
  if (hash.hex() !== digest) return invalidSnapshot("its digest is wrong");
  return ok({ head: head.value, bytes });
}

/** A snapshot is not what was promised. */
export function invalidSnapshot(what: string): Result<never> {
  return fail("artifact_invalid", `Cannot take the snapshot: ${what}; a new one is asked for`);
}

/** One control request; `name` is what the reply must be, a refusal is its error. */
export async function askControl<Name extends MessageName>(
  ask: Pick<PartsFetch, "bus" | "subject" | "ask" | "signal"> & { readonly timeoutMs: number },
  name: Name,
): Promise<Result<Message<Name>>> {
  const { bus, subject, timeoutMs, signal } = ask;
  const reply = await bus.request(subject, encode("control", ask.ask), { timeoutMs, signal });
  if (!reply.ok) return reply;
  if (messageNameOf(reply.value) === "refusal") {
    const refusal = decode("refusal", reply.value);
    return refusal.ok ? { ok: false, error: refusal.value.error } : refusal;
  }
  return decode(name, reply.value);
}
