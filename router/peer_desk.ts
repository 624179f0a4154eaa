import { decode, encode, fail, limits, ok } from "@pixii/wire";
import type { Control, Result, Subjects } from "@pixii/wire";
import type { Bus, Clock, Log } from "@pixii/runtime";
import type { RouterState } from "./core/router_state.ts";
import { Sha256 } from "./digest.ts";
import type { RouterMetrics } from "./metrics.ts";
import { writeBundle } from "./snapshot_bundle.ts";

/** Least time between two freezes: whoever asks meanwhile waits, and all get the next. */
const everyMs = 250;
/** Frozen states kept for their readers, and for how long. */
const mostFrozen = 2;
const keepMs = 30_000;

interface Frozen {
  readonly bytes: Uint8Array;
  readonly madeMs: number;
}

/** What the desk works with. */
export interface PeerDeskParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly subjects: Subjects;
  readonly state: RouterState;
  readonly metrics: RouterMetrics;
}

/** Answers a router's control subject: gives what it knows to siblings that start. */
export class PeerDesk implements Disposable {
  readonly #parts: PeerDeskParts;
  readonly #frozen = new Map<number, Frozen>();
  /** The freeze that has not begun yet: only such a one knows all that came before the question. */
  #next: Promise<Uint8Array> | undefined;
  #begunMs = -Infinity;
  #running: Promise<unknown> = Promise.resolve();
  #nextId = 1;
  #serving: Disposable | undefined;
  readonly #stop = new AbortController();

  constructor(parts: PeerDeskParts) {
    this.#parts = parts;
  }

  /** Answers from now on: what there is to tell is whole. */
  open(): void {
    const { bus, subjects, state } = this.#parts;
    const subject = subjects.control(state.router);
    this.#serving = bus.serve(subject, (payload) => this.#answer(payload));
  }

  /** Answers nobody any more. Idempotent. */
  [Symbol.dispose](): void {
    this.#serving?.[Symbol.dispose]();
    this.#stop.abort();
    this.#frozen.clear();
  }

  async #answer(payload: Uint8Array): Promise<Uint8Array> {
    const message = decode("control", payload);
    const answer = message.ok ? await this.#do(message.value) : message;
    if (!message.ok) this.#parts.metrics.badMessages.add(1, { kind: "control" });
    return answer.ok ? answer.value : encode("refusal", { error: answer.error });
  }

  async #do(message: Control): Promise<Result<Uint8Array>> {
    if (message.op === "snapshot-part") return this.#part(message.id, message.offset);
    if (message.op !== "peer-snapshot") {
      return fail("not_found", `Cannot do ${message.op}: this program is a router`);
    }
    this.#parts.metrics.peerSnapshots.add(1, {
      result: this.#next === undefined ? "made" : "shared",
    });
    try {
      return ok(await (this.#next ??= this.#later()));
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
      return fail("draining", "Cannot give a snapshot: this router is shutting down; ask another");
    }
  }

  /** Freezes when the last freeze is done and long enough ago. */
  async #later(): Promise<Uint8Array> {
    const { clock } = this.#parts;
    await this.#running;
    const waitMs = this.#begunMs + everyMs - clock.nowMs();
    if (waitMs > 0) await clock.sleep(waitMs, this.#stop.signal);
    this.#next = undefined;
    this.#begunMs = clock.nowMs();
    const freezing = this.#freeze();
    // Its failure is the asker's; the next one tries again.
    this.#running = freezing.catch(() => {});
    return await freezing;
  }

  async #freeze(): Promise<Uint8Array> {
    const { clock, state, log } = this.#parts;
    const bytes = await writeBundle(state, clock, { withLedger: true });
    const hash = new Sha256();
    hash.update(bytes);
    const id = this.#nextId++;
    const head = encode("snapshotHead", {
      ...{ id, epoch: state.router, number: state.stateVersion },
      ...{ totalBytes: bytes.byteLength, digest: hash.hex() },
    });
    for (const [old, { madeMs }] of this.#frozen) {
      const isOver = clock.nowMs() - madeMs > keepMs || this.#frozen.size >= mostFrozen;
      if (isOver) this.#frozen.delete(old);
    }
    this.#frozen.set(id, { bytes, madeMs: clock.nowMs() });
    log.debug("what this router knows was frozen for a sibling", { bytes: bytes.byteLength });
    return head;
  }

  #part(id: number, offset: number): Result<Uint8Array> {
    const bytes = this.#frozen.get(id)?.bytes;
    if (bytes === undefined) {
      return fail("not_found", `Cannot read snapshot ${id}: it is gone; ask for a new one`);
    }
    if (offset > bytes.byteLength) {
      return fail("invalid_request", `Cannot read a part: offset ${offset} is behind its end`);
    }
    const data = bytes.subarray(offset, offset + limits.partBytes);
    return ok(encode("part", { offset, totalBytes: bytes.byteLength, data }));
  }
}
