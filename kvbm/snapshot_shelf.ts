import { encode, fail, limits, ok } from "@pixii/wire";
import type { InstanceId, Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import { sha256Hex } from "./digest.ts";

/** Snapshots kept for their readers, and for how long. */
const mostSnapshots = 4;
const keepMs = 30_000;

/** Frozen snapshots that are read in parts. */
export class SnapshotShelf {
  readonly #clock: Clock;
  readonly #frozen = new Map<number, { readonly bytes: Uint8Array; readonly untilMs: number }>();
  #nextId = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keeps a snapshot; the encoded `SnapshotHead`. Over the bound the oldest goes. */
  put(bytes: Uint8Array, facts: { readonly epoch: InstanceId; readonly number: number }) {
    const nowMs = this.#clock.nowMs();
    for (const [id, { untilMs }] of this.#frozen) {
      if (untilMs < nowMs || this.#frozen.size >= mostSnapshots) this.#frozen.delete(id);
    }
    const id = this.#nextId++;
    this.#frozen.set(id, { bytes, untilMs: nowMs + keepMs });
    return encode("snapshotHead", {
      ...{ id, ...facts, totalBytes: bytes.byteLength, digest: sha256Hex(bytes) },
    });
  }

  /** The encoded `Part` from `offset` on. */
  part(id: number, offset: number): Result<Uint8Array> {
    const frozen = this.#frozen.get(id);
    if (frozen === undefined) {
      return fail("not_found", `Cannot read snapshot ${id}: it is gone; ask for a new one`);
    }
    const { bytes } = frozen;
    if (offset > bytes.byteLength) {
      return fail(
        "invalid_request",
        `Cannot read a part: offset ${offset} is over ${bytes.byteLength}; ask from the start`,
      );
    }
    const data = bytes.subarray(offset, offset + limits.partBytes);
    return ok(encode("part", { offset, totalBytes: bytes.byteLength, data }));
  }
}
