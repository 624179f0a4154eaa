import { SharedMemory } from "@pixii/runtime";
import { BlockPool } from "@pixii/kvbm/core";
import { median } from "./figure.ts";
import type { Figure } from "./figure.ts";

/** What the rows of the pool's memory are measured on. */
export interface KvMemoryOptions {
  /** Bytes of a block's slot: whole pages. */
  readonly slotBytes: number;
  /** Blocks of a round; together far more than the processor's caches hold. */
  readonly blocks: number;
  readonly rounds: number;
}

const pageBytes = 4_096;
const warmUpBlocks = 20_000;

/**
 * `kv.pool_vs_memcpy`: blocks copied into the pool (slot reserved, bytes copied into the mapped file, block committed), as a
 * share of what is copied from the same memory into memory of its own (V8 does that by memmove; libc's memcpy called by
 * FFI came to the same). `kv.pool_read_vs_memcpy`: the way back
 * (found and pinned, copied, released). Copies in this thread, in turns; one map of the file, as a worker has it.
 */
export async function kvMemoryFigures(options: KvMemoryOptions): Promise<readonly Figure[]> {
  const { slotBytes, blocks, rounds } = options;
  const path = `/dev/shm/pixii-trial-memory-${Deno.pid}`;
  const bytes = slotBytes * blocks;
  const made = await SharedMemory.create(path, { bytes, unitBytes: bytes });
  if (!made.ok) throw new Error(made.error.message);
  using _made = made.value;
  const mapped = await SharedMemory.open(path, bytes, { populate: true });
  made.value.unlink();
  if (!mapped.ok) throw new Error(mapped.error.message);
  using memory = mapped.value;
  const trial = new CopyTrial(memory, { slotBytes, blocks });
  trial.warmUp();
  const ways = {
    plain: (i: number) => trial.plain(i),
    write: (i: number) => trial.write(i),
    read: (i: number) => trial.read(i),
  };
  const speeds: Record<keyof typeof ways, number[]> = { plain: [], write: [], read: [] };
  for (let round = -1; round < rounds; round++) {
    const tookMs = { plain: 0, write: 0, read: 0 };
    for (let i = 0; i < blocks; i++) {
      // In turns block by block, a third of the memory apart: none finds in the caches what another has left there.
      Object.entries(ways).forEach(([name, run], third) => {
        const at = (i + Math.floor(third * blocks / 3)) % blocks;
        const startedMs = performance.now();
        run(at);
        tookMs[name as keyof typeof ways] += performance.now() - startedMs;
      });
    }
    trial.endRound();
    // The first round warms up: pages are touched.
    if (round < 0) continue;
    for (const name of ["plain", "write", "read"] as const) {
      speeds[name].push(bytes / 1e6 / tookMs[name]);
    }
  }
  return [
    shareOf("kv.pool_vs_memcpy", speeds.write, speeds.plain),
    shareOf("kv.pool_read_vs_memcpy", speeds.read, speeds.plain),
  ];
}

function shareOf(figure: string, ours: readonly number[], theirs: readonly number[]): Figure {
  const runs = ours.map((speed, i) => speed / theirs[i]);
  return {
    ...{ figure, value: median(runs), unit: "ratio", better: "higher", runs },
    ...{ anchor: "memcpy, GB/s", anchorValue: median(theirs), ratio: median(runs) },
  };
}

/** Blocks between memory of its own and a pool, with the pool's books. */
class CopyTrial {
  readonly source: Uint8Array<ArrayBuffer>;
  readonly copy: Uint8Array<ArrayBuffer>;
  readonly #memory: SharedMemory;
  readonly #pool: BlockPool;
  readonly #client: number;
  readonly #sizes: { readonly slotBytes: number; readonly blocks: number };
  #block = 0;

  constructor(memory: SharedMemory, sizes: { slotBytes: number; blocks: number }) {
    const { slotBytes, blocks } = sizes;
    this.#memory = memory;
    this.#sizes = sizes;
    this.source = new Uint8Array(slotBytes * blocks).fill(7);
    this.copy = new Uint8Array(slotBytes * blocks).fill(9);
    const slotPages = slotBytes / pageBytes;
    const segmentPages = slotPages * blocks;
    this.#pool = new BlockPool({ segments: 1, segmentPages, evict: "lru" });
    this.#client = this.#pool.join(
      this.#pool.layout({ hi: 1, lo: 2, blockSize: 64, slotPages })!,
    );
  }

  /** From memory of its own to memory of its own. */
  plain(i: number): void {
    const { slotBytes } = this.#sizes;
    this.copy.set(this.source.subarray(i * slotBytes, (i + 1) * slotBytes), i * slotBytes);
  }

  /** Every block is new and drives out an old one. */
  write(i: number): void {
    const { slotBytes } = this.#sizes;
    const [slot, page] = this.#pool.reserve(this.#client, 1);
    const view = this.#memory.view(page * pageBytes, slotBytes);
    view.set(this.source.subarray(i * slotBytes, (i + 1) * slotBytes));
    const entry = Uint32Array.of(slot, ++this.#block, 0, 0, 0, 0);
    if (this.#pool.commit(this.#client, entry)[0] !== slot) throw new Error("not committed");
  }

  /** The block that was written a third of the pool ago. */
  read(i: number): void {
    const { slotBytes, blocks } = this.#sizes;
    const route = Uint32Array.of(Math.max(1, this.#block - Math.floor(blocks / 3)), 0);
    const [slot, page] = this.#pool.find(this.#client, 1, route);
    if (slot === 0) throw new Error("a block is missing");
    this.copy.set(this.#memory.view(page * pageBytes, slotBytes), i * slotBytes);
    this.#pool.release(this.#client, [1]);
  }

  /** The books alone, until the compiler knows them and they have weighed what is worth keeping. */
  warmUp(): void {
    for (let i = 0; i < warmUpBlocks; i++) {
      const [slot] = this.#pool.reserve(this.#client, 1);
      this.#pool.commit(this.#client, Uint32Array.of(slot, ++this.#block, 0, 0, 0, 0));
      this.#pool.find(this.#client, 1, Uint32Array.of(this.#block, 0));
      this.#pool.release(this.#client, [1]);
    }
    this.endRound();
  }

  endRound(): void {
    this.#pool.takeEvents(0);
  }
}
