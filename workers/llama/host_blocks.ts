import { crc32 } from "node:zlib";
import { payloadOffset, readStoredBlock, writeStoredBlock } from "@pixii/wire";
import type { Hash64, StoredBlock } from "@pixii/wire";
import { SharedMemory } from "@pixii/runtime";
import type { GivePlan } from "../core/give_plan.ts";
import type { Restored, RestorePlan } from "../core/host_restore.ts";
import type { KvOp, KvSalt } from "../core/kv_map.ts";
import type { LeavingBlock } from "../core/leaving_block.ts";
import type { HostSlots, HostTotals, MappedPool } from "../kv_store/kv_store.ts";
import { scopeDigest } from "../kv_store/scope_digest.ts";
import type { LlamaContext } from "./context.ts";
import { stateBytes, stateProblem } from "./state_blob.ts";
import type { StateShape } from "./state_blob.ts";

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
/** Scopes remembered with their digests. */
const mostScopes = 1_024;

/** What blocks this engine keeps in the host tier. */
export interface HostBlockKind {
  readonly layout: Hash64;
  readonly shape: StateShape;
  /** Tokens of a block. */
  readonly blockSize: number;
  /** Take no block that decode steps had a part in. */
  readonly prefilledOnly: boolean;
}

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
    ...{ offloadMs: 0, onboardMs: 0, stepMs: 0, blocksMs: 0 },
  };
}

interface Opened {
  readonly pool: MappedPool;
  readonly memory: SharedMemory;
  readonly kind: HostBlockKind;
  readonly payloadBytes: number;
}

/**
 * Blocks between the engine's cache and the pool, on the engine's thread: cut straight into slots that are at hand,
 * taken back straight from the mapping after header, checksum and shape were compared. It never waits for anybody.
 */
export class HostBlocks {
  readonly #nowMs: () => number;
  #opened: Opened | undefined;
  /** Slots to write into: slot, page, ... */
  #stock: { readonly slot: number; readonly page: number }[] = [];
  #commits: number[] = [];
  #privates: number[] = [];
  #isShort = false;
  #shortSinceMs: number | undefined;
  #giveLeftMs = giveStepMs;
  #damaged: number[] = [];
  #leases: number[] = [];
  #counts = noCounts();
  #offloadLeftBytes = offloadBytes;
  #outSinceMs: number | undefined;
  #restoreLeftMs = restoreMs;
  readonly #scopes = new Map<string, Uint8Array>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Number of the pool in use. */
  get generation(): number | undefined {
    return this.#opened?.pool.generation;
  }

  /** A pool is there. */
  open(pool: MappedPool, kind: HostBlockKind): void {
    const memory = SharedMemory.at(pool);
    const payloadBytes = stateBytes(kind.blockSize, kind.shape);
    this.#forget();
    this.#opened = { pool, memory, kind, payloadBytes };
  }

  /** The pool is gone: nothing of it is touched from here on. */
  close(): void {
    this.#opened = undefined;
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
    this.#offloadLeftBytes = Math.max(offloadBytes, this.#opened?.payloadBytes ?? 0);
    this.#restoreLeftMs = restoreMs;
    this.#giveLeftMs = giveStepMs;
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
    if (this.#opened === undefined) return false;
    if (this.#stock.length > 0) {
      this.#outSinceMs = undefined;
      return false;
    }
    this.#outSinceMs ??= this.#nowMs();
    return this.#nowMs() - this.#outSinceMs < slotsMs;
  }

  /** Blocks that can be kept in what is left of this step; where slots do not come, as many as like are dropped. */
  get room(): number {
    if (this.#opened === undefined) return Infinity;
    if (this.isOut) return 0;
    if (this.#stock.length === 0) return Infinity;
    const affordable = Math.floor(this.#offloadLeftBytes / this.#opened.payloadBytes);
    return Math.max(0, Math.min(this.#stock.length, affordable));
  }

  /** True while the step has time to take blocks back. */
  get mayRestore(): boolean {
    return this.#restoreLeftMs > 0;
  }

  /** Keeps a block that leaves, where a slot and time are left. */
  offload(context: LlamaContext, { slot, block }: Extract<KvOp, { op: "offload" }>): void {
    const opened = this.#opened;
    if (opened === undefined) return;
    this.#offloadLeftBytes -= opened.payloadBytes;
    const place = this.#offloadLeftBytes >= 0 ? this.#stock.pop() : undefined;
    if (place === undefined) {
      this.#counts.dropped += 1;
      return;
    }
    const startedMs = this.#nowMs();
    if (this.#cut(context, { opened, slot, page: place.page, block })) {
      const { lo, hi, parentLo, parentHi, index } = block;
      this.#commits.push(place.slot, lo, hi, parentLo, parentHi, index);
      this.#counts.offloaded += 1;
    } else {
      this.#stock.push(place);
      this.#counts.dropped += 1;
    }
    this.#counts.offloadMs += this.#nowMs() - startedMs;
  }

  /**
   * Writes a block for another worker. `later`: there is no slot, or no time left in the step. `failed`: there is no host
   * tier, it has had no slot for too long, or the engine does not give the block.
   */
  give(context: LlamaContext, { slot, block, handover }: GivePlan): "given" | "later" | "failed" {
    const opened = this.#opened;
    if (opened === undefined) return "failed";
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
    const isCut = this.#cut(context, { opened, slot, page: place.page, block, handover });
    const tookMs = this.#nowMs() - startedMs;
    this.#giveLeftMs -= tookMs;
    this.#counts.offloadMs += tookMs;
    if (!isCut) {
      this.#stock.push(place);
      return "failed";
    }
    const { hi, lo, parentHi, parentLo, index } = block;
    const words = handover === undefined ? this.#commits : this.#privates;
    words.push(place.slot, lo, hi, parentLo, parentHi, index);
    this.#counts.offloaded += 1;
    return "given";
  }

  /** Takes a block back to the end of a slot; nothing where it is of no use. */
  restore(context: LlamaContext, plan: RestorePlan): Restored | undefined {
    const opened = this.#opened;
    if (opened === undefined || plan.sequence.host?.generation !== opened.pool.generation) {
      return undefined;
    }
    const startedMs = this.#nowMs();
    const how = this.#take(context, opened, plan);
    const tookMs = this.#nowMs() - startedMs;
    this.#restoreLeftMs -= tookMs;
    this.#counts.onboardMs += tookMs;
    if (how === "damaged") {
      this.#damaged.push(plan.host);
      this.#counts.damaged += 1;
    } else if (how === "unusable") this.#counts.unusable += 1;
    else {
      this.#counts.onboarded += 1;
      return how;
    }
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

  #cut(
    context: LlamaContext,
    cut: {
      opened: Opened;
      slot: number;
      page: number;
      block: LeavingBlock;
      handover?: GivePlan["handover"];
    },
  ): boolean {
    const { opened, block } = cut;
    const { memory, kind } = opened;
    const tokens = block.tokens.length;
    // A tail fragment may be shorter than a block, and is in its place.
    const payloadBytes = stateBytes(tokens, kind.shape);
    const payloadAt = payloadOffset(tokens);
    const offset = cut.page * opened.pool.pageBytes;
    const start = block.index * kind.blockSize;
    const isCut = context.cut(
      { slot: cut.slot, start, end: start + tokens },
      { pointer: memory.pointer(offset + payloadAt, payloadBytes), bytes: payloadBytes },
    );
    if (!isCut) return false;
    const bytes = memory.view(offset, opened.pool.slotBytes);
    const route = { hi: block.hi, lo: block.lo };
    const header: StoredBlock = {
      key: { route, layout: kind.layout },
      parent: block.index === 0 ? undefined : { hi: block.parentHi, lo: block.parentLo },
      index: block.index,
      tokens: block.tokens,
      scope: this.#scope(block.salt),
      decoded: block.decoded,
      payloadBytes,
      payloadCrc: crc32(bytes.subarray(payloadAt, payloadAt + payloadBytes)),
      ...(cut.handover === undefined ? undefined : { handover: cut.handover }),
    };
    writeStoredBlock(bytes, header, crc32);
    return true;
  }

  #take(
    context: LlamaContext,
    opened: Opened,
    plan: RestorePlan,
  ): "damaged" | "unusable" | Restored {
    const { memory, kind } = opened;
    const tokens = plan.tokens.length;
    const payloadBytes = stateBytes(tokens, kind.shape);
    const payloadAt = payloadOffset(tokens);
    const offset = plan.page * opened.pool.pageBytes;
    const bytes = memory.view(offset, opened.pool.slotBytes);
    const header = readStoredBlock(bytes, crc32);
    if (!header.ok) return "damaged";
    const block = header.value;
    const isNamed = same(block.key.layout, kind.layout) && same(block.key.route, plan);
    if (!isNamed || block.payloadBytes !== payloadBytes) return "damaged";
    if (!this.#isWanted(block, plan)) return "unusable";
    if (kind.prefilledOnly && block.decoded) return "unusable";
    const payload = bytes.subarray(payloadAt, payloadAt + payloadBytes);
    if (crc32(payload) !== block.payloadCrc) return "damaged";
    const { shape, blockSize } = kind;
    const start = plan.index * blockSize;
    if (stateProblem(payload, { shape, start, tokens }) !== undefined) return "damaged";
    const token = block.handover?.token;
    if (plan.isTail && !this.#isFirst(block, plan)) return "damaged";
    const pointer = memory.pointer(offset + payloadAt, payloadBytes);
    const isPlaced = context.place(plan.slot, { pointer, bytes: payloadBytes });
    return isPlaced ? { decoded: block.decoded, token } : "unusable";
  }

  /** The first token that comes with a tail is for the place where this stream stands. */
  #isFirst({ handover }: StoredBlock, { sequence: { request } }: RestorePlan): boolean {
    return handover !== undefined && handover.index === request.emitted;
  }

  /** A 64-bit hash alone decides nothing: place, parent, owner and tokens have to be those of the prompt. */
  #isWanted(block: StoredBlock, { index, parentHi, parentLo, tokens, sequence }: RestorePlan) {
    const parent = index === 0 ? undefined : { hi: parentHi, lo: parentLo };
    const isNext = parent === undefined
      ? block.parent === undefined
      : block.parent !== undefined && same(block.parent, parent);
    const scope = this.#scope(sequence.salt);
    return isNext && block.index === index && block.tokens.length === tokens.length &&
      scope.every((byte, i) => byte === block.scope[i]) &&
      tokens.every((token, i) => token === block.tokens[i]);
  }

  #scope(salt: KvSalt): Uint8Array {
    const key = `${salt.adapterDigest}\n${salt.tenantSalt}`;
    let digest = this.#scopes.get(key);
    if (digest === undefined) {
      if (this.#scopes.size >= mostScopes) this.#scopes.clear();
      this.#scopes.set(key, digest = scopeDigest(salt));
    }
    return digest;
  }
}

function same(
  a: { readonly hi: number; readonly lo: number },
  b: { readonly hi: number; readonly lo: number },
): boolean {
  return a.hi === b.hi && a.lo === b.lo;
}
