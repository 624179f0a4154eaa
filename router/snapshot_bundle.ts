import {
  decode,
  decodeKvEvents,
  fail,
  MessageBundle,
  messageNameOf,
  messagesOf,
  ok,
} from "@pixii/wire";
import type { KvEventBatch, LedgerEntry, Result, SessionBatch } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import {
  isTellable,
  joinPieces,
  ledgerMessages,
  sessionMessages,
  sourceMessages,
} from "./core/replica.ts";
import type { RouterState } from "./core/router_state.ts";

/** Blocks that are written in one turn of the event loop: a few milliseconds, so that decisions come in between. */
const blocksPerTurn = 32_768;
/** Unreadable messages of a bundle after which it is given up: it is no bundle of ours. */
const mostUnreadable = 16;

/** What a bundle says. */
export interface BundleContent {
  /** One per source, with all it holds. */
  readonly sources: readonly KvEventBatch[];
  readonly entries: readonly LedgerEntry[];
  readonly sessions: SessionBatch["sessions"];
}

/**
 * What a router knows, as one run of bytes: each source as of its own last number, and ledger and sessions where they are asked for.
 * Sources that do not fit `limits.assembledBytes` are left out: their owners are asked for them.
 */
export async function writeBundle(
  state: RouterState,
  clock: Clock,
  options: { readonly withLedger: boolean },
): Promise<Uint8Array> {
  const bundle = new MessageBundle();
  if (options.withLedger) {
    bundle.add(ledgerMessages(state, state.router));
    bundle.add(sessionMessages(state, clock.nowMs()));
  }
  let blocks = 0;
  for (const opened of [...state.streams.all()]) {
    // It may have gone, or fallen behind, since the last turn.
    if (state.streams.get(opened.key) !== opened || !isTellable(state, opened)) continue;
    if (!bundle.add(sourceMessages(opened))) break;
    blocks += opened.stream.blocks;
    if (blocks < blocksPerTurn) continue;
    blocks = 0;
    await new Promise<void>((resolve) => clock.turn(resolve));
  }
  return bundle.bytes();
}

/** Reads a bundle; messages that cannot be read are passed over, and `decode_error` where that is most of it. */
export function readBundle(bytes: Uint8Array): Result<BundleContent> {
  const messages = messagesOf(bytes);
  if (!messages.ok) return messages;
  const pieces: KvEventBatch[] = [];
  const entries: LedgerEntry[] = [];
  const sessions: SessionBatch["sessions"] = [];
  let unreadable = 0;
  for (const message of messages.value) {
    const name = messageNameOf(message);
    if (name === "ledgerBatch") {
      const batch = decode(name, message);
      if (batch.ok) entries.push(...batch.value.entries);
      else unreadable += 1;
    } else if (name === "sessionBatch") {
      const batch = decode(name, message);
      if (batch.ok) sessions.push(...batch.value.sessions);
      else unreadable += 1;
    } else {
      const batch = decodeKvEvents(message);
      if (batch.ok) pieces.push(batch.value);
      else unreadable += 1;
    }
    if (unreadable > mostUnreadable) {
      return fail("decode_error", "Cannot read the bundle: its messages are not understood");
    }
  }
  return ok({ sources: joinPieces(pieces), entries, sessions });
}
