import { decode, encode, fail, u32sOf } from "@pixii/wire";
import type { Control, Failure, ModelCard, RoleFlip } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type { StreamBook } from "./core/stream_book.ts";
import { partOf } from "./kv_publisher.ts";
import type { StepOutlet } from "./step_outlet.ts";

/** What the desk answers from. */
export interface DeskParts {
  readonly card: ModelCard;
  readonly clock: Clock;
  readonly book: StreamBook;
  readonly outlet: StepOutlet;
  /** Follows a wish for another role. */
  readonly role: (wish: Extract<Control, { op: "role" }>) => RoleFlip;
}

type Snapshot = Extract<Control, { op: "snapshot" }>;
type Audit = Extract<Control, { op: "audit" }>;

/** Answers everything sent to a worker's control subject. */
export class ControlDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** The reply to a control message; empty where it asks for none. */
  async answer(bytes: Uint8Array): Promise<Uint8Array> {
    const decoded = decode("control", bytes);
    if (!decoded.ok) return encode("refusal", { error: decoded.error });
    const answer = await this.#answer(decoded.value);
    return answer instanceof Uint8Array ? answer : encode("refusal", { error: answer });
  }

  async #answer(message: Control): Promise<Uint8Array | Failure> {
    const { card, clock, book, outlet } = this.#parts;
    const { ranks } = outlet;
    switch (message.op) {
      case "cancel": {
        const record = book.cancel(message);
        if (record !== undefined) ranks[record.rank].engine.cancel(record.stream);
        return new Uint8Array();
      }
      case "renew": {
        const missed = book.renew(message.frontend, message.streams, clock.nowMs());
        if (missed.length > 0) outlet.resend(missed);
        return new Uint8Array();
      }
      case "resume": {
        const record = book.find(message);
        const frame = record && outlet.from(record, message.fromIndex);
        if (frame !== undefined) return frame;
        const text = "Cannot resume the stream: this worker does not have it";
        return fail("stream_unknown", text).error;
      }
      case "handover": {
        const record = book.find(message);
        if (record !== undefined && record.end === undefined) {
          ranks[record.rank].engine.handover?.(record.stream, message.word);
        }
        return new Uint8Array();
      }
      case "artifact": {
        if (message.digest !== card.artifactDigest) {
          return fail("not_found", "Cannot send the artifact: this worker has another one").error;
        }
        const part = partOf(ranks[0].engine.artifact(), message.offset);
        return part.ok ? part.value : part.error;
      }
      case "snapshot":
        return await this.#snapshot(message);
      case "snapshot-part": {
        const { id, offset } = message;
        const part = ranks[id % ranks.length].kv.part(id, offset);
        return part.ok ? part.value : part.error;
      }
      case "audit":
        return await this.#audit(message);
      case "role":
        return encode("roleFlip", this.#parts.role(message));
      // Between frontends and routers, and without a reply.
      case "cancel-route":
        return new Uint8Array();
      case "prefetch":
        return fail("not_found", "Cannot fetch ahead: this program is a worker").error;
      case "peer-snapshot":
        return fail("not_found", "Cannot give a peer snapshot: this program is a worker").error;
    }
  }

  async #audit({ model, dpRank, tier, hi, lo }: Audit): Promise<Uint8Array | Failure> {
    const { card, outlet: { ranks } } = this.#parts;
    if (model !== card.hash || tier !== "device" || dpRank >= ranks.length) {
      const text = `Cannot audit rank ${dpRank}, tier ${tier}: this worker has no such blocks`;
      return fail("not_found", text).error;
    }
    if (hi.byteLength !== lo.byteLength) {
      return fail("invalid_request", "Cannot audit: hi and lo must have equal lengths").error;
    }
    const { kv, engine } = ranks[dpRank];
    return await kv.audit(engine, { hi: u32sOf(hi), lo: u32sOf(lo) });
  }

  async #snapshot({ model, dpRank = 0, tier = "device" }: Snapshot): Promise<Uint8Array | Failure> {
    const { card, outlet: { ranks } } = this.#parts;
    const isOurs = (model === undefined || model === card.hash) && tier === "device";
    if (!isOurs || dpRank >= ranks.length) {
      const text = `Cannot freeze rank ${dpRank}, tier ${tier}: this worker has no such blocks`;
      return fail("not_found", text).error;
    }
    const { kv, engine } = ranks[dpRank];
    return await kv.freeze(engine);
  }
}
