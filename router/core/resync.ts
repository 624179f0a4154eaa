import type { EventStreams } from "./event_streams.ts";

/**
 * What is indexed of a source is known to be wrong: it is given up at once, whatever the number, and the source's own
 * snapshot is due. Unknown sources are passed over. O(its blocks).
 */
export function resync(streams: EventStreams, key: string, nowMs: number): void {
  const stream = streams.get(key)?.stream;
  if (stream === undefined) return;
  stream.absent();
  stream.ask();
  // Only a word about the source makes the streams look after it.
  streams.reported(key, 0, nowMs);
}
