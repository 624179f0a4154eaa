import {
  decode,
  decodeStepFrame,
  encode,
  encodeGenerateRequest,
  limits,
  messageNameOf,
} from "@pixii/wire";
import type { Failure, GenerateRequest, StepEntry, StreamKey, WorkerRank } from "@pixii/wire";
import type { StreamParts } from "./stream_parts.ts";

/** A resume request is answered within this or asked again. */
const resumeMs = 1_000;

/**
 * What a worker answered about a stream: its entries; `refused`: it does not run the stream, or what it said is not
 * understood; `unheard`: no answer came, so it may run the stream all the same.
 */
export type WorkerAnswer =
  | { readonly kind: "entries"; readonly entries: readonly StepEntry[] }
  | { readonly kind: "refused"; readonly failure: Failure }
  | { readonly kind: "unheard"; readonly failure: Failure };

/** All that is said to one worker about one stream key, and what it answers. Holds no state of the stream. */
export class WorkerTalk {
  readonly #parts: StreamParts;
  readonly #key: StreamKey;
  readonly #tag: number;
  readonly #worker: WorkerRank;

  /** `tag` marks the stream's entries in what the worker sends. */
  constructor(
    parts: StreamParts,
    about: { readonly key: StreamKey; readonly tag: number; readonly worker: WorkerRank },
  ) {
    this.#parts = parts;
    this.#key = about.key;
    this.#tag = about.tag;
    this.#worker = about.worker;
  }

  /** Asks it to run the stream. Sent twice it still runs once: the worker knows the stream by its key. */
  async generate(message: GenerateRequest, signal: AbortSignal): Promise<WorkerAnswer> {
    const { bus, subjects } = this.#parts;
    const subject = subjects.generate(this.#worker.instance);
    const timeoutMs = Math.min(limits.acceptMs, Math.max(1, message.remainingMs));
    const asked = encodeGenerateRequest(message);
    const reply = await bus.request(subject, asked, { timeoutMs, signal, isOwned: true });
    return reply.ok ? this.#read(reply.value) : { kind: "unheard", failure: reply.error };
  }

  /** Asks for everything from an output index on. */
  async resume(fromIndex: number, signal: AbortSignal): Promise<WorkerAnswer> {
    const { bus, subjects } = this.#parts;
    const subject = subjects.control(this.#worker.instance);
    const asked = encode("control", { op: "resume", ...this.#key, fromIndex });
    const reply = await bus.request(subject, asked, { timeoutMs: resumeMs, signal });
    return reply.ok ? this.#read(reply.value) : { kind: "unheard", failure: reply.error };
  }

  /** Tells it to end the stream; where this is lost, the worker ends it for want of renewals. */
  cancel(): void {
    this.#tell(encode("control", { op: "cancel", ...this.#key }));
  }

  /** Tells it what became of the prefill leg; where this is lost, the worker waits for its own limit. */
  handover(word: "given" | "lost"): void {
    this.#tell(encode("control", { op: "handover", ...this.#key, word }));
  }

  #tell(message: Uint8Array): void {
    const { bus, subjects } = this.#parts;
    bus.publish(subjects.control(this.#worker.instance), message);
  }

  #read(payload: Uint8Array): WorkerAnswer {
    this.#parts.workers.heard(this.#worker.instance);
    if (messageNameOf(payload) === "refusal") {
      const refusal = decode("refusal", payload);
      return { kind: "refused", failure: refusal.ok ? refusal.value.error : refusal.error };
    }
    const frame = decodeStepFrame(payload);
    if (!frame.ok) return { kind: "refused", failure: frame.error };
    return {
      kind: "entries",
      entries: frame.value.entries.filter((entry) => entry.tag === this.#tag),
    };
  }
}
