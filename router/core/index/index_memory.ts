import type { IndexBudget } from "../index_budget.ts";
import { moduleBase64 } from "./module.ts";

/** A variable of the module. */
interface Cell {
  readonly value: number;
}

/** What the module offers; see the .as files for what each does. Pointers are bytes from the start of the memory. */
export type IndexExports = {
  readonly memory: WebAssembly.Memory;
  open(): void;
  openOwner(slot: number): number;
  clearOwner(slot: number): void;
  closeOwner(slot: number): void;
  blocksOf(slot: number): number;
  ensureInput(bytes: number): number;
  told(): void;
  apply(slot: number, start: number, bytes: number, ops: number): number;
  ensureCandidates(candidates: number, words: number): number;
  find(blocks: number, candidates: number): void;
  findTiers(blocks: number, candidates: number): void;
  holds(slot: number, blocks: number): number;
} & { readonly [Name in CellName]: Cell };

type CellName =
  | "freeBytes"
  | "headMask"
  | "heads"
  | "links"
  | "lists"
  | "out"
  | "ownerCap"
  | "owners"
  | "rowBytes"
  | "rows"
  | "runCount"
  | "suspects"
  | "total"
  | "walked";

/** Bytes of a page of WebAssembly memory. */
const pageBytes = 65_536;
const compiled = new WebAssembly.Module(
  Uint8Array.from(atob(moduleBase64), (char) => char.charCodeAt(0)),
);

/** The memory of one index, grown as far as the budget goes, and the code that works on it. */
export class IndexMemory {
  readonly code: IndexExports;
  readonly #budget: IndexBudget;
  #bytes: Uint8Array;
  #words: Uint32Array;
  #isPaid = false;

  constructor(budget: IndexBudget) {
    this.#budget = budget;
    const env = { grow: (wanted: number, needed: number) => this.#grow(wanted, needed) };
    const instance = new WebAssembly.Instance(compiled, { env });
    this.code = instance.exports as unknown as IndexExports;
    this.#bytes = new Uint8Array(this.code.memory.buffer);
    this.#words = new Uint32Array(this.code.memory.buffer);
    this.code.open();
  }

  /** The memory as bytes; a new view after it grew. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The memory as u32; a new view after it grew. */
  get words(): Uint32Array {
    return this.#words;
  }

  /** False while the budget has no room for its first page: then nothing may be put into it. */
  get isPaid(): boolean {
    this.#isPaid ||= this.#budget.take(pageBytes);
    return this.#isPaid;
  }

  /** Gives its bytes back to the budget; it may not be used any more. */
  release(): void {
    if (this.#isPaid) this.#budget.give(this.#bytes.byteLength);
    this.#isPaid = false;
    this.#bytes = new Uint8Array();
    this.#words = new Uint32Array();
  }

  #grow(wantedPages: number, neededPages: number): number {
    for (const pages of [wantedPages, neededPages]) {
      if (!this.#budget.take(pages * pageBytes)) continue;
      try {
        this.code.memory.grow(pages);
      } catch (error) {
        // The machine or the address space has no more: the same as no budget.
        if (!(error instanceof RangeError)) throw error;
        this.#budget.give(pages * pageBytes);
        continue;
      }
      this.#bytes = new Uint8Array(this.code.memory.buffer);
      this.#words = new Uint32Array(this.code.memory.buffer);
      return pages;
    }
    return 0;
  }
}
