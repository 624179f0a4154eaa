import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What a heap has of the system, in bytes. */
export interface HeapSize {
  /** Taken from the system: the heap's pages, used or not, and buffers outside of it. */
  readonly heldBytes: number;
  /** Of these in use, garbage that nobody has collected yet included. */
  readonly usedBytes: number;
}

/** The heap of this thread. */
export interface Heap {
  /** Its size now. About 10 us. */
  size(): HeapSize;
  /** Collects all garbage and gives what is free back to the system. Stops this thread for 15 to 120 ms. */
  collect(): void;
}

/** The heap that V8 keeps for this thread. */
export function v8Heap(): Heap {
  return new V8Heap();
}

type Collect = (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;

class V8Heap implements Heap {
  #collect: Collect | undefined;

  size(): HeapSize {
    const { heapTotal, heapUsed, external } = Deno.memoryUsage();
    return { heldBytes: heapTotal + external, usedBytes: heapUsed + external };
  }

  collect(): void {
    this.#collect ??= exposedCollect();
    // Any other kind of collection keeps the pages for what comes next.
    this.#collect({ type: "major", flavor: "last-resort" });
  }
}

/** V8 gives its `gc` to contexts that are made after the flag was set; so no flag is needed on the command line. */
function exposedCollect(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}
