import type { KvEvent } from "./kv_events.ts";

/** Blocks of one message: a stored one takes 12 bytes, so a batch stays far below the message limit. */
const mostBlocksPerBatch = 16_384;
/** Events of one message: each takes 12 bytes besides its blocks. */
const mostEventsPerBatch = 4_096;

/** Cuts an owner's events into what one message each holds, in order. The pieces share the events' arrays. */
export function* kvEventBatches(events: readonly KvEvent[]): Iterable<KvEvent[]> {
  let batch: KvEvent[] = [];
  let blocks = 0;
  for (const event of events) {
    for (const piece of piecesOf(event)) {
      const size = piece.op === "cleared" ? 1 : piece.numbers.length;
      const full = blocks + size > mostBlocksPerBatch || batch.length === mostEventsPerBatch;
      if (batch.length > 0 && full) {
        yield batch;
        batch = [];
        blocks = 0;
      }
      batch.push(piece);
      blocks += size;
    }
  }
  if (batch.length > 0) yield batch;
}

/** An event in pieces that each fit a batch; a run goes on behind the last block of the piece before. */
function* piecesOf(event: KvEvent): Iterable<KvEvent> {
  if (event.op === "cleared" || event.numbers.length <= mostBlocksPerBatch) {
    yield event;
    return;
  }
  for (let at = 0; at < event.numbers.length; at += mostBlocksPerBatch) {
    const end = at + mostBlocksPerBatch;
    const numbers = event.numbers.subarray(at, end);
    if (event.op === "removed") yield { op: "removed", numbers };
    else {
      const parent = at === 0 ? event.parent : event.numbers[at - 1];
      const [hi, lo] = [event.hi.subarray(at, end), event.lo.subarray(at, end)];
      yield { op: "stored", parent, numbers, hi, lo };
    }
  }
}
