import { streamKeyText, xxh64 } from "@pixii/wire";
import type { InstanceId, StreamKey, WorkerRank } from "@pixii/wire";

/** What a stream takes at a worker rank. */
export interface Claim {
  readonly worker: WorkerRank;
  /** It dies with this frontend. */
  readonly frontend: InstanceId;
  /** Prompt tokens to compute; they count until the first token. */
  readonly prefillTokens: number;
  /** Blocks of the rank's own size; they count until the stream is complete. */
  readonly blocks: number;
}

/** A stream at a worker rank, as the ledger holds it. */
export interface Booking {
  readonly text: string;
  /** xxh64 of `text`: the stream's share of a report's digest. */
  readonly hashHi: number;
  readonly hashLo: number;
  readonly claim: Claim;
  readonly bookedMs: number;
  /** The frontend has booked it, too. */
  isConfirmed: boolean;
  hasFirstToken: boolean;
}

const encoder = new TextEncoder();

/** A booking of a stream. */
export function bookingOf(
  key: StreamKey,
  claim: Claim,
  options: { readonly nowMs: number; readonly isConfirmed: boolean },
): Booking {
  const text = streamKeyText(key);
  const hash = xxh64(encoder.encode(text));
  return {
    ...{ text, hashHi: hash.hi, hashLo: hash.lo, claim, bookedMs: options.nowMs },
    ...{ isConfirmed: options.isConfirmed, hasFirstToken: false },
  };
}
