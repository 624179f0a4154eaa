import { crc32 } from "node:zlib";
import { comingPage, payloadOffset, readStoredBlock } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import type { BlockPool } from "../core/block_pool.ts";
import type { FetchDesk } from "../fetch_desk.ts";
import { pageBytes } from "../pool_file.ts";
import type { BlockGiver, BlockKind, BlockShelf, ShelfEars, Shelved } from "./block_transport.ts";
import type { PeerCounts } from "./peer_counts.ts";

/** What the giver works on. */
export interface PoolGiverParts {
  readonly pool: BlockPool;
  /** Brings what is below the pool, for askers as for workers. */
  readonly desk: FetchDesk;
  readonly view: (offset: number, length: number) => Uint8Array<ArrayBuffer>;
  /** Blocks of this layout may have changed. */
  readonly onChange: (layout: number) => void;
  readonly counts: PeerCounts;
}

/** Gives what is in the host tier and below it. Every asker is a client of the pool: what it holds falls with its link. */
export class PoolGiver implements BlockGiver {
  readonly #parts: PoolGiverParts;
  readonly #shelves = new Map<number, PoolShelf>();

  constructor(parts: PoolGiverParts) {
    this.#parts = parts;
  }

  /** Askers that are connected. */
  get askers(): number {
    return this.#shelves.size;
  }

  refusal(kind: BlockKind): string | undefined {
    const { pool } = this.#parts;
    const layout = pool.layouts.find(({ hi, lo }) => hi === kind.hi && lo === kind.lo);
    if (layout === undefined) {
      return "Cannot give blocks: no worker here has blocks of this layout; the same model, KV type and release must run on both hosts";
    }
    const isSame = layout.blockSize === kind.blockSize &&
      layout.slotPages * pageBytes === kind.slotBytes;
    return isSame ? undefined : "Cannot give blocks: those of this layout have another size here";
  }

  open(_asker: InstanceId, kind: BlockKind, ears: ShelfEars): BlockShelf {
    const { pool } = this.#parts;
    const layout = pool.layouts.findIndex(({ hi, lo }) => hi === kind.hi && lo === kind.lo);
    const client = pool.join(layout);
    const place = { client, layout, ears, left: () => this.#shelves.delete(client) };
    const shelf = new PoolShelf(this.#parts, place);
    this.#shelves.set(client, shelf);
    return shelf;
  }

  /** What became of blocks that a client waited for; false where the client is no asker. */
  tell(client: number, op: "landed" | "lost", words: Uint32Array): boolean {
    const shelf = this.#shelves.get(client);
    shelf?.hear(op, words);
    return shelf !== undefined;
  }
}

/** Whose shelf it is. */
interface ShelfPlace {
  readonly client: number;
  readonly layout: number;
  readonly ears: ShelfEars;
  readonly left: () => void;
}

class PoolShelf implements BlockShelf {
  readonly #parts: PoolGiverParts;
  readonly #place: ShelfPlace;
  /** Awaited blocks that landed, by key: private ones are found nowhere else. */
  readonly #kept = new Map<string, { readonly lease: number; readonly slot: number }>();
  /** Questions of awaits that are open, rows of route lo, hi. */
  readonly #awaits = new Map<number, Uint32Array>();

  constructor(parts: PoolGiverParts, place: ShelfPlace) {
    this.#parts = parts;
    this.#place = place;
  }

  find(lease: number, routes: Uint32Array): readonly Shelved[] {
    return this.#ask(lease, routes, false);
  }

  await(lease: number, routes: Uint32Array): readonly Shelved[] {
    this.#awaits.set(lease, routes);
    return this.#ask(lease, routes, true);
  }

  release(lease: number): void {
    const { pool, desk, onChange } = this.#parts;
    const { client, layout } = this.#place;
    if (this.#awaits.delete(lease)) {
      for (const [key, kept] of this.#kept) if (kept.lease === lease) this.#kept.delete(key);
    }
    desk.release(client, [lease]);
    pool.release(client, [lease]);
    onChange(layout);
  }

  hear(op: "landed" | "lost", words: Uint32Array): void {
    const { ears } = this.#place;
    if (op === "lost") {
      for (let i = 0; i < words.length; i += 2) ears.lost(words[i], words[i + 1]);
      return;
    }
    for (let i = 0; i < words.length; i += 4) {
      const [lease, position, slot] = words.subarray(i, i + 3);
      const routes = this.#awaits.get(lease);
      if (routes !== undefined) {
        const key = keyOf(routes[2 * position + 1], routes[2 * position]);
        this.#kept.set(key, { lease, slot });
      }
      const view = this.#viewOf(slot, routes !== undefined);
      if (view === undefined) ears.lost(lease, position);
      else ears.landed(lease, position, view);
    }
  }

  [Symbol.dispose](): void {
    const { pool, desk, onChange } = this.#parts;
    const { client, layout, left } = this.#place;
    left();
    desk.leave(client);
    pool.leave(client);
    onChange(layout);
  }

  #ask(lease: number, routes: Uint32Array, awaits: boolean): readonly Shelved[] {
    const { pool, desk, onChange } = this.#parts;
    const { client, layout } = this.#place;
    const found = pool.find(client, lease, routes);
    for (let i = 0; i < found.length; i += 2) {
      const kept = found[i] === 0 ? this.#kept.get(keyOf(routes[i + 1], routes[i])) : undefined;
      if (kept !== undefined) [found[i], found[i + 1]] = [kept.slot, pool.table.page[kept.slot]];
    }
    desk.want({ client, lease, layout, routes, found, awaits });
    onChange(layout);
    return Array.from({ length: routes.length / 2 }, (_, place): Shelved => {
      const slot = found[2 * place];
      if (slot !== 0) return this.#viewOf(slot, awaits) ?? "gone";
      return found[2 * place + 1] === comingPage ? "coming" : "gone";
    });
  }

  /** Header and payload of a pinned slot; nothing where it holds no whole block. */
  #viewOf(slot: number, isOnlyTold = false): Uint8Array<ArrayBuffer> | undefined {
    const { pool, view, counts } = this.#parts;
    const { slotPages } = pool.layouts[this.#place.layout];
    const whole = view(pool.table.page[slot] * pageBytes, slotPages * pageBytes);
    const header = readStoredBlock(whole, crc32);
    if (!header.ok) return undefined;
    const length = payloadOffset(header.value.tokens.length) + header.value.payloadBytes;
    if (!isOnlyTold) {
      counts.givenBlocks += 1;
      counts.givenBytes += length;
    }
    return whole.subarray(0, length);
  }
}

function keyOf(hi: number, lo: number): string {
  return `${hi}.${lo}`;
}
