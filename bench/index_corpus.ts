import type { HashList } from "@pixii/wire";
import { LruBlocks } from "./lru_blocks.ts";
import type { PromptPaths } from "./prompt_paths.ts";
import { Seeded, spread } from "./seeded.ts";

/** Blocks that one id of the trace is cut into: 512 tokens in 128. */
const cut = 4;
/** Words of a piece of tape. */
const tapeWords = 2 ** 22;

/** What engines and requests do to an index. */
export type IndexOp =
  | { readonly op: "query"; readonly list: HashList }
  | { readonly op: "events"; readonly worker: number; readonly bytes: Uint8Array };

/** A recorded run of engines and requests. */
export interface IndexCorpus {
  readonly ops: readonly IndexOp[];
  readonly workers: number;
  readonly queries: number;
  readonly queried: number;
  readonly stored: number;
  readonly removed: number;
}

/** Words handed out one behind the other, as a receive buffer has them: reading a corpus costs what reading a file does. */
class Tape {
  #words = new Uint32Array();
  #used = 0;

  take(count: number): Uint32Array {
    if (this.#used + count > this.#words.length) {
      this.#words = new Uint32Array(Math.max(count, tapeWords));
      this.#used = 0;
    }
    this.#used += count;
    return this.#words.subarray(this.#used - count, this.#used);
  }
}

/** Sizes of a corpus. */
export interface CorpusShape {
  /** Copies of the trace with blocks of their own. */
  readonly copies: number;
  readonly workers: number;
  /** Blocks that each worker caches. */
  readonly capacity: number;
}

/**
 * Every prompt of every copy goes to a random worker: a query for it, then what the worker drops for it, then what it
 * stores, as bodies of KV event messages (12 bytes a block stored, 4 a block removed). Prefixes outlive what follows.
 */
export function makeCorpus({ paths, ids }: PromptPaths, shape: CorpusShape): IndexCorpus {
  const { copies, workers, capacity } = shape;
  const random = new Seeded(7);
  const caches = Array.from({ length: workers }, () => new LruBlocks(capacity));
  const ops: IndexOp[] = [];
  const tape = new Tape();
  const counts = { queries: 0, queried: 0, stored: 0, removed: 0 };
  for (const path of paths) {
    for (let copy = 0; copy < copies; copy++) {
      const keys = keysOf(path, copy * ids * cut);
      const list = listOf(keys, tape);
      ops.push({ op: "query", list });
      counts.queries += 1;
      counts.queried += keys.length;
      const worker = random.below(workers);
      const made = place(caches[worker], keys);
      if (made.removed.length > 0) {
        ops.push({ op: "events", worker, bytes: removedBody(made.removed, tape) });
        counts.removed += made.removed.length;
      }
      if (made.stored !== undefined) {
        ops.push({ op: "events", worker, bytes: storedBody(list, made.stored, tape) });
        counts.stored += keys.length - made.held;
      }
    }
  }
  return { ops, workers, ...counts };
}

function keysOf(path: Int32Array, first: number): Int32Array {
  const keys = new Int32Array(path.length * cut);
  for (let i = 0; i < keys.length; i++) {
    keys[i] = first + path[Math.floor(i / cut)] * cut + i % cut;
  }
  return keys;
}

function listOf(keys: Int32Array, tape: Tape): HashList {
  const lo = tape.take(keys.length);
  const hi = tape.take(keys.length);
  for (let i = 0; i < keys.length; i++) {
    lo[i] = spread(keys[i] + 0x51ed270b);
    hi[i] = spread(lo[i] ^ keys[i]);
  }
  return { hi, lo };
}

/** Which blocks of a prompt are stored: from which on, and the numbers of the block before and of the first. */
interface Stored {
  readonly from: number;
  readonly parent: number;
  readonly first: number;
}

function place(
  cache: LruBlocks,
  keys: Int32Array,
): { held: number; removed: number[]; stored: Stored | undefined } {
  let held = 0;
  let parent = 0;
  for (let number = 1; held < keys.length && number !== 0;) {
    number = cache.find(keys[held]);
    if (number === 0) break;
    parent = number;
    held += 1;
  }
  for (let i = held - 1; i >= 0; i--) cache.touch(keys[i]);
  const fresh = keys.length - held;
  if (fresh === 0) return { held, removed: [], stored: undefined };
  const first = cache.number(fresh);
  const removed: number[] = [];
  for (let i = keys.length - 1; i >= held; i--) {
    const gone = cache.add(keys[i], first + i - held);
    if (gone !== 0) removed.push(gone);
  }
  for (let i = held - 1; i >= 0; i--) cache.touch(keys[i]);
  return { held, removed, stored: { from: held, parent, first } };
}

function storedBody(list: HashList, at: Stored, tape: Tape): Uint8Array {
  const count = list.lo.length - at.from;
  const words = tape.take(3 + 3 * count);
  words.set([1, count, at.parent]);
  for (let i = 0; i < count; i++) {
    words[3 + 3 * i] = at.first + i;
    words[4 + 3 * i] = list.lo[at.from + i];
    words[5 + 3 * i] = list.hi[at.from + i];
  }
  return bytesOf(words);
}

function removedBody(numbers: readonly number[], tape: Tape): Uint8Array {
  const words = tape.take(2 + numbers.length);
  words.set([2, numbers.length]);
  words.set(numbers, 2);
  return bytesOf(words);
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
