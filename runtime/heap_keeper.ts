import type { Clock } from "./clock.ts";
import type { Heap } from "./heap.ts";
import type { Log } from "./log.ts";
import { RestRule } from "./rest_rule.ts";

/** Between two looks at the heap. */
export const lookEveryMs = 500;

/** Gives memory back to the system when this thread rests after a burst, until disposed. */
export function keepHeap(
  { clock, log, heap }: { readonly clock: Clock; readonly log: Log; readonly heap: Heap },
): Disposable {
  const rule = new RestRule();
  return clock.every(lookEveryMs, () => {
    const before = heap.size();
    if (!rule.look(before)) return;
    heap.collect();
    const after = heap.size();
    rule.collected(after);
    const { heldBytes } = before;
    log.debug("gave memory back", { heldBytes, keptBytes: after.heldBytes });
  });
}
