import type {
  BlockGiver,
  BlockKind,
  BlockShelf,
  ShelfEars,
  Shelved,
} from "../peer/block_transport.ts";
import { writeBlock } from "./scripted_source.ts";

/** The kind of blocks that scripted givers have. */
export const scriptedKind: BlockKind = { hi: 3, lo: 4, blockSize: 64, slotBytes: 12_288 };

/** Bytes of block `lo`, whole: header and payload. */
export function blockBytes(lo: number, payloadBytes = 10_000): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(384 + payloadBytes);
  writeBlock(bytes, { hi: 0, lo, layout: scriptedKind, fill: lo % 256, payloadBytes });
  return bytes;
}

/** A giver that has what it is told; it counts what it keeps for askers. */
export class ScriptedGiver implements BlockGiver {
  /** Route lo to the block's bytes, or nothing yet. */
  readonly has = new Map<number, Uint8Array<ArrayBuffer> | "coming">();
  readonly kind: BlockKind;
  /** Leases that are open, over all shelves. */
  readonly leases = new Set<string>();
  shelves = 0;
  readonly #waiting: { ears: ShelfEars; lease: number; place: number; lo: number }[] = [];

  constructor(kind: BlockKind = scriptedKind) {
    this.kind = kind;
  }

  refusal({ hi, lo }: BlockKind): string | undefined {
    const isKnown = hi === this.kind.hi && lo === this.kind.lo;
    return isKnown ? undefined : "Cannot give blocks: no worker here has blocks of this layout";
  }

  open(_asker: string, _kind: BlockKind, ears: ShelfEars): BlockShelf {
    const shelf = ++this.shelves;
    const find = (lease: number, routes: Uint32Array, awaits: boolean): Shelved[] => {
      this.leases.add(`${shelf}/${lease}`);
      return Array.from({ length: routes.length / 2 }, (_, place) => {
        const lo = routes[2 * place];
        const found = this.has.get(lo) ?? (awaits ? "coming" : "gone");
        if (found === "coming") this.#waiting.push({ ears, lease, place, lo });
        return found;
      });
    };
    return {
      find: (lease, routes) => find(lease, routes, false),
      await: (lease, routes) => find(lease, routes, true),
      release: (lease) => void this.leases.delete(`${shelf}/${lease}`),
      [Symbol.dispose]: () => {
        for (const key of [...this.leases]) {
          if (key.startsWith(`${shelf}/`)) this.leases.delete(key);
        }
      },
    };
  }

  /** A block is there from now on. */
  land(lo: number, bytes: Uint8Array<ArrayBuffer> = blockBytes(lo)): void {
    this.has.set(lo, bytes);
    for (const { ears, lease, place } of this.#take(lo)) ears.landed(lease, place, bytes);
  }

  /** A block that was coming does not come. */
  lose(lo: number): void {
    this.has.delete(lo);
    for (const { ears, lease, place } of this.#take(lo)) ears.lost(lease, place);
  }

  #take(lo: number): { ears: ShelfEars; lease: number; place: number }[] {
    const taken = this.#waiting.filter((one) => one.lo === lo);
    for (const one of taken) this.#waiting.splice(this.#waiting.indexOf(one), 1);
    return taken;
  }
}
