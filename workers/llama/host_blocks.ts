import { endMark } from "@pixii/wire";
import type { GivePlan } from "../core/give_plan.ts";
import type { Restored, RestorePlan } from "../core/host_restore.ts";
import type { KeepPlan } from "../core/keep_plan.ts";
import type { KvOp } from "../core/kv_op.ts";
import type { LeavingBlock } from "../core/leaving_block.ts";
import type { PromptEnd } from "../core/prompt_end.ts";
import type { HostSlots, HostTotals, MappedPool } from "../kv_store/kv_store.ts";
import { BlockSlots } from "./block_slots.ts";
import type { BlockToCut } from "./block_slots.ts";
import type { LlamaContext } from "./context.ts";
import type { HostBlockKind } from "./host_block_kind.ts";

/**
 * Most bytes of blocks that one step keeps; what leaves later in it is dropped. In bytes and not in time: on a busy machine
 * one slow copy would lose a block in the middle of a prompt, and with it all behind it.
 */
const offloadBytes = 128 * 1024 * 1024;
/**
 * Longest wait for slots to keep blocks in, while room is made; then they are dropped until there are slots again. A block
 * that is dropped is the end of its prompt and costs more to compute than this; a kvbm that writes to its disk was seen to
 * take longer than 20 ms.
 */
const slotsMs = 250;
/** Longest wait for slots to hand blocks over in; then the hand-over is given up, and the other worker computes. */
const giveMs = 500;
/** Longest time of one step that goes into handing blocks over; the rest comes in the next step. */
const giveStepMs = 10;
/** Longest time of one step that goes into taking blocks back; the rest comes in the next step, after a decode. */
const restoreMs = 10;
/**
 * Slots that are left to what has to be written when a block is kept while its prompt is in work, and the longest time of a
 * step that goes into that.
 */
const slotsBesideKept = 8;
const keepStepMs = 5;
/** Slots that are left to blocks when a prompt's end is kept: it waits for none and takes the last from none. */
const slotsBesideEnd = 2;

/** What became of blocks since the last report, with the time it took. */
export interface HostReport {
  readonly generation: number;
  /** Slots that were written: words of `StoreRows` `commit`. */
  readonly commits: Uint32Array;
  /** Slots that were written for one reader: words of `commitPrivate`. */
  readonly privates: Uint32Array;
  /** There were no slots for what had to be written. */
  readonly isShort: boolean;
  /** Slots whose block is damaged. */
  readonly damaged: readonly number[];
  /** Leases that are over. */
  readonly leases: readonly number[];
  readonly counts: HostTotals;
}

function noCounts(): HostTotals {
  return {
    ...{ offloaded: 0, dropped: 0, onboarded: 0, unusable: 0, damaged: 0 },
    ...{ endsKept: 0, endsTaken: 0 },
    ...{ offloadMs: 0, onboardMs: 0, stepMs: 0, blocksMs: 0 },
  };
}

/** A slot that may be written, and its page. */
interface Place {
  readonly slot: number;
  readonly page: number;
}

/**
 * Blocks between the engine's cache and the pool, on the engine's thread: cut straight into slots that are at hand,
 * taken back straight from the mapping after header, checksum and shape were compared. It never waits for anybody.
 */
export class HostBlocks {
  readonly #nowMs: () => number;
  #slots: BlockSlots | undefined;
  /** Slots to write into: slot, page, ... */
  #stock: Place[] = [];
  #commits: number[] = [];
  #privates: number[] = [];
  #isShort = false;
  #shortSinceMs: number | undefined;
  #giveLeftMs = giveStepMs;
  #keepLeftMs = keepStepMs;
  #damaged: number[] = [];
  #leases: number[] = [];
  #counts = noCounts();
  #offloadLeftBytes = offloadBytes;
  #outSinceMs: number | undefined;
  #restoreLeftMs = restoreMs;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Number of the pool in use. */
  get generation(): number | undefined {
    return this.#slots?.pool.generation;
  }

  /** A pool is there. */
  open(pool: MappedPool, kind: HostBlockKind): void {
    this.#forget();
    this.#slots = new BlockSlots(pool, kind);
  }

  /** The pool is gone: nothing of it is touched from here on. */
  close(): void {
    this.#slots = undefined;
    this.#forget();
  }

  /** Slots to write into. */
  grant({ generation, slots, pages }: HostSlots): void {
    if (generation !== this.generation) return;
    for (let i = 0; i < slots.length; i++) this.#stock.push({ slot: slots[i], page: pages[i] });
  }

  /** A lease is over. */
  release({ generation, lease }: { readonly generation: number; readonly lease: number }): void {
    if (generation === this.generation) this.#leases.push(lease);
  }

  /** A step begins: it has its time again. */
  beginStep(): void {
    // A block longer than that goes one at a time.
    this.#offloadLeftBytes = Math.max(offloadBytes, this.#slots?.payloadBytes ?? 0);
    this.#restoreLeftMs = restoreMs;
    this.#giveLeftMs = giveStepMs;
    this.#keepLeftMs = keepStepMs;
  }

  /** A step is over: what it took, and what of that went into blocks. Told with the next report. */
  endStep(stepMs: number, blocksMs: number): void {
    this.#counts.stepMs += stepMs;
    this.#counts.blocksMs += blocksMs;
  }

  /** True while there are no slots for blocks that have to be handed over. */
  get isShort(): boolean {
    return this.#shortSinceMs !== undefined;
  }

  /** True for a short while when there are no slots to keep blocks in. */
  get isOut(): boolean {
    if (this.#slots === undefined) return false;
    if (this.#stock.length > 0) {
      this.#outSinceMs = undefined;
      return false;
    }
    this.#outSinceMs ??= this.#nowMs();
    return this.#nowMs() - this.#outSinceMs < slotsMs;
  }

  /** Blocks that can be kept in what is left of this step; where slots do not come, as many as like are dropped. */
  get room(): number {
    if (this.#slots === undefined) return Infinity;
    if (this.isOut) return 0;
    if (this.#stock.length === 0) return Infinity;
    const affordable = Math.floor(this.#offloadLeftBytes / this.#slots.payloadBytes);
    return Math.max(0, Math.min(this.#stock.length, affordable));
  }

  /** True while the step has time to take blocks back. */
  get mayRestore(): boolean {
    return this.#restoreLeftMs > 0;
  }

  /** Keeps a block that leaves, where a slot and time are left. */
  offload(context: LlamaContext, { slot, block }: Extract<KvOp, { op: "offload" }>): void {
    const slots = this.#slots;
    if (slots === undefined) return;
    this.#offloadLeftBytes -= slots.payloadBytes;
    const place = this.#offloadLeftBytes >= 0 ? this.#stock.pop() : undefined;
    const isKept = place !== undefined && this.#write(context, { place, slot, block });
    if (isKept) this.#commits.push(...wordsOf(place, block));
    else this.#counts.dropped += 1;
  }

  /**
   * Writes a block for another worker and answers with its slot. `later`: there is no slot, or no time left in the step. `failed`: there is no host
   * tier, it has had no slot for too long, or the engine does not give the block.
   */
  give(context: LlamaContext, { slot, block, handover }: GivePlan): number | "later" | "failed" {
    if (this.#slots === undefined) return "failed";
    if (this.#giveLeftMs <= 0) return "later";
    const place = this.#stock.pop();
    if (place === undefined) {
      this.#isShort = true;
      this.#shortSinceMs ??= this.#nowMs();
      if (this.#nowMs() - this.#shortSinceMs < giveMs) return "later";
      this.#shortSinceMs = undefined;
      return "failed";
    }
    this.#shortSinceMs = undefined;
    const startedMs = this.#nowMs();
    const isCut = this.#write(context, { place, slot, block, handover });
    this.#giveLeftMs -= this.#nowMs() - startedMs;
    if (!isCut) return "failed";
    const words = handover === undefined ? this.#commits : this.#privates;
    words.push(...wordsOf(place, block));
    return place.slot;
  }

  /** Keeps a block that stays on the device, where slots and time are to spare, and answers with its slot. */
  keep(context: LlamaContext, { slot, block }: KeepPlan): number | undefined {
    const isSpare = this.#slots !== undefined && this.#stock.length > slotsBesideKept;
    if (!isSpare || this.#keepLeftMs <= 0) return undefined;
    const place = this.#stock.pop()!;
    const startedMs = this.#nowMs();
    const isKept = this.#write(context, { place, slot, block });
    this.#keepLeftMs -= this.#nowMs() - startedMs;
    if (!isKept) return undefined;
    this.#commits.push(...wordsOf(place, block));
    return place.slot;
  }

  /** True where the end of a prompt with so many tokens behind its last reusable block can be kept, had it slots. */
  canKeepEnd(tail: number): boolean {
    return this.#slots?.canKeepEnd(tail) ?? false;
  }

  /**
   * Keeps a prompt's end with its row of logits, where there are slots to spare, and the whole block that it may end with:
   * answers that one's slot.
   */
  keepEnd(
    context: LlamaContext,
    { slot, end, body }: PromptEnd,
    row: Float32Array,
  ): number | undefined {
    const wanted = body === undefined ? 1 : 2;
    if (this.#slots === undefined || this.#stock.length < wanted + slotsBesideEnd) return undefined;
    let host: number | undefined;
    if (body !== undefined) {
      const place = this.#stock.pop()!;
      if (!this.#write(context, { place, slot, block: body })) return undefined;
      this.#commits.push(...wordsOf(place, body));
      host = place.slot;
    }
    const place = this.#stock.pop()!;
    if (!this.#write(context, { place, slot, block: end, row })) return host;
    this.#commits.push(...wordsOf(place, { ...end, index: end.index + endMark }));
    this.#counts.endsKept += 1;
    return host;
  }

  /** Takes a block back to the end of a slot; nothing where it is of no use. */
  restore(context: LlamaContext, plan: RestorePlan): Restored | undefined {
    const slots = this.#slots;
    if (slots === undefined || plan.sequence.host?.generation !== slots.pool.generation) {
      return undefined;
    }
    const startedMs = this.#nowMs();
    const how = slots.read(context, plan);
    const tookMs = this.#nowMs() - startedMs;
    this.#restoreLeftMs -= tookMs;
    this.#counts.onboardMs += tookMs;
    if (!("problem" in how)) {
      this.#counts.onboarded += 1;
      if (plan.end !== undefined) this.#counts.endsTaken += 1;
      return how;
    }
    this.#counts[how.problem] += 1;
    if (how.problem === "damaged") this.#damaged.push(how.host);
    return undefined;
  }

  /** What became of blocks since the last call, where anything did. */
  takeReport(): HostReport | undefined {
    const { dropped, onboarded, unusable } = this.#counts;
    const generation = this.generation;
    const isQuiet = this.#commits.length + this.#privates.length + this.#damaged.length +
            this.#leases.length + dropped + onboarded + unusable === 0 && !this.#isShort;
    if (generation === undefined || isQuiet) return undefined;
    const report = {
      generation,
      commits: Uint32Array.from(this.#commits),
      privates: Uint32Array.from(this.#privates),
      isShort: this.#isShort,
      damaged: this.#damaged,
      leases: this.#leases,
      counts: this.#counts,
    };
    this.#commits = [];
    this.#privates = [];
    this.#isShort = false;
    this.#damaged = [];
    this.#leases = [];
    this.#counts = noCounts();
    return report;
  }

  #forget(): void {
    this.#stock = [];
    this.#commits = [];
    this.#privates = [];
    this.#isShort = false;
    this.#shortSinceMs = undefined;
    this.#damaged = [];
    this.#leases = [];
    this.#counts = noCounts();
  }

  /** Writes a block into a slot, which goes back to the others where the engine does not give the block. */
  #write(
    context: LlamaContext,
    { place, ...cut }: Omit<BlockToCut, "page"> & { readonly place: Place },
  ): boolean {
    const startedMs = this.#nowMs();
    const isCut = this.#slots!.write(context, { ...cut, page: place.page });
    this.#counts.offloadMs += this.#nowMs() - startedMs;
    if (isCut) this.#counts.offloaded += 1;
    else this.#stock.push(place);
    return isCut;
  }
}

/** Words of a commit. */
function wordsOf(
  { slot }: Place,
  { lo, hi, parentLo, parentHi, index }: Omit<LeavingBlock, "tokens" | "salt" | "decoded">,
): readonly number[] {
  return [slot, lo, hi, parentLo, parentHi, index];
}
