import type { InstanceId, Subjects } from "@pixii/wire";
import type { Bus, Clock, Log } from "@pixii/runtime";
import type { RestoredFrom } from "./core/restored.ts";
import type { RouterState } from "./core/router_state.ts";
import type { RouterMetrics } from "./metrics.ts";
import { fetchParts } from "./parts_fetch.ts";
import { readBundle } from "./snapshot_bundle.ts";

/** A sibling freezes what it knows while it decides: far longer than that takes for a full index. */
const headMs = 3_000;
/** Siblings that are asked, one after the other. */
const mostAsked = 3;
/** Longest that a start waits for siblings. */
const longestMs = 10_000;

/** What a restore works with. */
export interface RestoreParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly subjects: Subjects;
  readonly state: RouterState;
  readonly metrics: RouterMetrics;
}

/**
 * Asks the siblings, one after the other, for what they know, until one has told it. The ledger counts at once, a source
 * once it joins its live stream. Where none answers, the workers are asked. True where one did.
 */
export async function restoreFromPeers(
  peers: readonly InstanceId[],
  parts: RestoreParts,
  stop: AbortSignal,
): Promise<boolean> {
  const { bus, clock, log, subjects, state, metrics } = parts;
  using deadline = clock.deadline(longestMs);
  const signal = AbortSignal.any([stop, deadline.signal]);
  for (const peer of peers.slice(0, mostAsked)) {
    if (signal.aborted) return false;
    const fetched = await fetchParts({
      ...{ bus, signal, headMs, subject: subjects.control(peer) },
      ask: { op: "peer-snapshot", from: state.router },
    });
    const told = fetched.ok ? takeBundle(fetched.value.bytes, "peer", parts) : fetched;
    metrics.restores.add(1, { from: "peer", result: told.ok ? "taken" : told.error.code });
    if (told.ok) return true;
    log.info("a sibling told nothing", { peer, reason: told.error.message });
  }
  return false;
}

/** Takes what a bundle says into the state. Fails where it cannot be read. */
export function takeBundle(
  bytes: Uint8Array,
  from: RestoredFrom,
  { clock, log, state }: Pick<RestoreParts, "clock" | "log" | "state">,
) {
  const content = readBundle(bytes);
  if (!content.ok) return content;
  const nowMs = clock.nowMs();
  const { sources, entries, sessions } = content.value;
  for (const entry of entries) state.entry(entry, nowMs);
  for (const session of sessions) state.sessions.told(session, nowMs);
  let kept = 0;
  for (const batch of sources) {
    // A kvbm says more seldom where it stands: it is asked itself.
    if (batch.tier === "device" && state.truth.restore(batch, from, nowMs)) kept += 1;
  }
  log.info("restored what was known", {
    ...{
      from,
      sources: kept,
      entries: entries.length,
      sessions: sessions.length,
      bytes: bytes.byteLength,
    },
  });
  return content;
}
