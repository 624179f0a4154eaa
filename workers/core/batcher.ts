import { ChurnMap, ok } from "@pixii/wire";
import type { Failure, Result, TokenLogprob } from "@pixii/wire";
import type { EngineRequest, StepOutput } from "../engine.ts";
import type { HostRun, Landing } from "../kv_store/kv_store.ts";
import { refusalOf } from "./admission.ts";
import { isGiving, nextGive } from "./give_plan.ts";
import type { GivePlan } from "./give_plan.ts";
import { nextKeep } from "./keep_plan.ts";
import type { KeepPlan } from "./keep_plan.ts";
import { nextRestore } from "./host_restore.ts";
import type { Restored, RestorePlan } from "./host_restore.ts";
import { noLogit, noRoom } from "./batcher_failures.ts";
import type { BatcherLimits } from "./batcher_limits.ts";
import { Candidates } from "./candidates.ts";
import type { KvMap, PrefixMatch } from "./kv_map.ts";
import { PlacedSequences } from "./placed_sequences.ts";
import { outputIndex, reusableHashes, sequenceOf } from "./sequence.ts";
import type { Sequence } from "./sequence.ts";
import { StreamOutputs } from "./stream_outputs.ts";
import type { StreamEnd } from "./stream_outputs.ts";
import { WaitLine } from "./wait_line.ts";

/** One prefill chunk: positions [start, end) of a sequence, one decode call of its own. */
export interface PrefillChunk {
  readonly sequence: Sequence;
  readonly start: number;
  readonly end: number;
  /** The prompt ends here: its last row gives the first token. */
  readonly last: boolean;
}

/** Most tokens of output that room is made for at once. */
const outputRoom = 256;

/**
 * Continuous batching as a pure state machine. A step is: one decode call with a token of every running sequence, then
 * at most one prefill chunk of the first in line, so neither starves the other. Chunks start and end on the absolute
 * grid of blocks, and what is left of a prompt behind its last whole block is a chunk of its own: so a prompt whose
 * blocks were reused is computed by the same calls as one that was not. A prompt's prefix is looked up when its prefill
 * starts, so equal prompts reuse the first one's work. A prompt whose next block is on its way stands aside, placed,
 * while others go on. A prompt that is computed for another worker gives its blocks as they come, and ends.
 */
export class Batcher {
  readonly kv: KvMap;
  readonly #limits: BatcherLimits;
  readonly #eos: ReadonlySet<number>;
  readonly #waiting = new WaitLine();
  readonly #placed = new PlacedSequences();
  readonly #live = new ChurnMap<number, Sequence>();
  readonly #candidates = new Candidates();
  #hasStoodAside = false;
  #arrivals = 0;
  readonly #outputs = new StreamOutputs();
  #released: HostRun[] = [];

  constructor(limits: BatcherLimits, kv: KvMap) {
    this.#limits = limits;
    this.kv = kv;
    this.#eos = new Set(limits.eosTokenIds);
  }

  /** True where a step would do nothing; what is on its way to the host tier may change that. */
  get idle(): boolean {
    if (!this.#outputs.isEmpty || this.#released.length > 0) return false;
    if (this.#live.size === 0) return true;
    if (this.#placed.aside.length === 0 || this.isComputing || this.#placed.giving.length > 0) {
      return false;
    }
    const [first] = this.#waiting;
    const mayAdmit = first !== undefined && this.#placed.aside.length < this.#limits.maxSeqs &&
      this.#couldFit(first.tokens.length + 1);
    return !mayAdmit && this.#placed.aside.every((one) => this.#next(one) === "coming");
  }

  /** True where sequences decode or a prompt is computed. */
  get isComputing(): boolean {
    return this.#placed.running.length > 0 || this.#placed.prefilling !== undefined;
  }

  /** True where sequences decode. */
  get isDecoding(): boolean {
    return this.#placed.running.length > 0;
  }

  /** Sequences that hold a slot, those that wait, and the tokens both have to compute before their first output. */
  counts(): { readonly running: number; readonly waiting: number; readonly prefillTokens: number } {
    const current = this.#placed.prefilling;
    const left = current === undefined
      ? 0
      : current.tokens.length - this.kv.computed(current.slot!);
    return {
      running: this.#placed.all().length,
      waiting: this.#waiting.length,
      prefillTokens: this.#waiting.tokens + left,
    };
  }

  /** Takes a stream in, or says why not. `host`: what the host tier has of its prompt. */
  submit(request: EngineRequest, host?: HostRun): Result<void> {
    const { maxSeqs, maxWaiting } = this.#limits;
    const limits = { ...this.#limits, mostStreams: maxSeqs + maxWaiting };
    const refused = refusalOf(request, limits, this.#live);
    if (refused !== undefined) {
      if (host !== undefined) this.#released.push(host);
      return { ok: false, error: refused };
    }
    const arrival = this.#arrivals++;
    const sequence = sequenceOf(request, { arrival, candidates: this.#candidates, host });
    this.#live.set(request.stream, sequence);
    this.#waiting.add(sequence);
    return ok(undefined);
  }

  /** A stream that was promised but cannot be taken ends with this error. */
  refuse(request: EngineRequest, error: Failure): void {
    this.#outputs.refuse(request, error);
  }

  /** Ends a stream; a last output with reason `cancelled` follows. Unknown streams are ignored. */
  cancel(stream: number): void {
    const sequence = this.#live.get(stream);
    if (sequence !== undefined) this.#end(sequence, { reason: "cancelled" });
  }

  /** Sequences that decode a token in this step; the last token of each is the input. Makes room first. */
  planDecode(): readonly Sequence[] {
    while (this.#placed.running.length > 0 && !this.kv.reclaim(this.#placed.running.length)) {
      this.#preempt();
    }
    return this.#placed.running.slice();
  }

  /** The input token of `sequence` is computed; `logits` is its row. */
  decoded(sequence: Sequence, logits: Float32Array): void {
    if (sequence.slot === undefined) return;
    this.kv.append(sequence.slot, [sequence.tokens[sequence.tokens.length - 1]], "decode");
    this.#sample(sequence, logits);
  }

  /**
   * Makes room for the whole of the prompt whose prefill begins, and for some of its output, before anything of it is
   * placed, at most `mostBlocks` at a time; false where there is more to do. llama.cpp gives a sequence the lowest free
   * cells, and attention sums in the order of cells: so with nothing freed on the way a sequence lies in order, and what
   * comes back from the host tier gives the same logits to the last bit.
   */
  makeRoom(mostBlocks: number): boolean {
    this.#hasStoodAside = false;
    const sequence = this.#placed.prefilling ??= this.#begin();
    if (sequence === undefined || sequence.hasRoom) return true;
    const { tokens, request, slot } = sequence;
    const output = Math.min(outputRoom, request.stop.maxTokens - request.emitted);
    const wanted = tokens.length - this.kv.computed(slot!) + output;
    const target = Math.min(wanted, this.kv.freeCells + mostBlocks * this.#limits.blockSize);
    // Where not all can be had the rest is found, or preempted for, chunk by chunk.
    const isThere = this.kv.reclaim(target);
    sequence.hasRoom = target === wanted || !isThere;
    return sequence.hasRoom;
  }

  /**
   * The next block to take from the host tier, of those that stand aside and then of the prompt whose prefill begins,
   * admitting the next waiting one where no other is in work. Makes room first. Nothing where the rest has to be computed
   * or is on its way.
   */
  planRestore(): RestorePlan | undefined {
    for (const one of this.#placed.aside) {
      const plan = this.#next(one);
      if (plan !== undefined && plan !== "coming" && this.#hasRoomFor(one)) return plan;
    }
    if (this.#hasStoodAside) return undefined;
    const sequence = this.#placed.prefilling ??= this.#begin();
    if (sequence?.host === undefined) return undefined;
    const plan = this.#next(sequence);
    if (plan === "coming") {
      this.#placed.standAside();
      this.#hasStoodAside = true;
      return undefined;
    }
    if (plan !== undefined && this.#hasRoomFor(sequence)) return plan;
    this.#dropHost(sequence);
    return undefined;
  }

  /** A planned block is in the cache now, or it was of no use: then what follows it is neither. */
  restored(plan: RestorePlan, how: Restored | undefined): void {
    const { sequence, slot, tokens, host, index, isTail, end } = plan;
    if (how === undefined) return this.#dropHost(sequence);
    if (isTail) return this.#takeOver(plan, how.token!);
    if (end !== undefined) return this.#goOn(plan, how);
    this.kv.restore(slot, tokens, { host, decoded: how.decoded });
    if (sequence.host?.came?.[index] !== 1) sequence.hostTokens += tokens.length;
    // What was awaited was computed for this very request: that is no cache.
    else if (sequence.host.tail === undefined) sequence.fetchedTokens += tokens.length;
  }

  /** What became of blocks that were on their way. */
  landed(landings: readonly Landing[]): void {
    for (const { lease, position, slot, page } of landings) {
      for (const { host } of this.#live.values()) {
        if (host?.lease !== lease) continue;
        host.slots[position] = slot;
        host.pages[position] = page;
        break;
      }
    }
  }

  /** The next block to give to another worker; nothing where there is none yet. */
  planGive(): GivePlan | undefined {
    const { blockSize } = this.#limits;
    const current = this.#placed.prefilling;
    if (this.#placed.giving.length > 0) return nextGive(this.#placed.giving[0], this.kv, blockSize);
    return current === undefined || !isGiving(current)
      ? undefined
      : nextGive(current, this.kv, blockSize);
  }

  /** A planned block is written to slot `host` for the other worker; or it cannot be, then the stream ends with this error. */
  gave({ sequence, slot, block, handover }: GivePlan, how: number | Failure): void {
    if (typeof how !== "number") return this.#end(sequence, { reason: "error", error: how });
    if (handover !== undefined) return this.#end(sequence, { reason: "length" });
    this.kv.noteHosted(slot, { at: block.index, host: how });
    sequence.given += 1;
  }

  /** The next block of a prompt that the host tier can keep while it is in work; nothing where there is none yet. */
  planKeep(): KeepPlan | undefined {
    const { blockSize } = this.#limits;
    const current = this.#placed.prefilling;
    let plan = current && nextKeep(current, this.kv, blockSize);
    for (let i = 0; plan === undefined && i < this.#placed.running.length; i++) {
      plan = nextKeep(this.#placed.running[i], this.kv, blockSize);
    }
    return plan;
  }

  /** A planned block is written to slot `host` of the host tier. */
  kept({ sequence, slot, block }: KeepPlan, host: number): void {
    this.kv.noteHosted(slot, { at: block.index, host });
    sequence.kept += 1;
  }

  /** The host tier is gone: what it had is of no use. */
  forgetHost(): void {
    for (const sequence of this.#live.values()) sequence.host = undefined;
    this.#released = [];
  }

  /** What the host tier need not keep for us any more. */
  takeReleased(): readonly HostRun[] {
    const released = this.#released;
    this.#released = [];
    return released;
  }

  /** The next prefill chunk, admitting the next waiting prompt where no other is in work. Makes room first. */
  planPrefill(): PrefillChunk | undefined {
    if (this.#hasStoodAside && this.#placed.prefilling === undefined) return undefined;
    const sequence = this.#placed.prefilling ??= this.#begin();
    if (sequence === undefined) return undefined;
    const start = this.kv.computed(sequence.slot!);
    const end = this.#chunkEnd(start, sequence.tokens.length);
    while (!this.kv.reclaim(end - start)) {
      if (this.#placed.all().length === 1) {
        // Cannot happen: a sequence is never longer than the cache, and nothing else is left in it. Give up loudly.
        this.#end(sequence, { reason: "error", error: noRoom(sequence) });
        return undefined;
      }
      if (this.#preempt() === sequence) return undefined;
    }
    return { sequence, start, end, last: end === sequence.tokens.length };
  }

  /**
   * A chunk is computed; `logits` is the last row of a last chunk, `host` where the host tier has the whole block that it
   * ends with already.
   */
  prefilled(
    chunk: PrefillChunk,
    { logits, host }: { readonly logits?: Float32Array; readonly host?: number },
  ): void {
    const { sequence, start, end } = chunk;
    if (sequence.slot === undefined) return;
    this.kv.append(sequence.slot, sequence.tokens.slice(start, end), "prefill");
    const at = end / this.#limits.blockSize - 1;
    if (host !== undefined) this.kv.noteHosted(sequence.slot, { at, host });
    if (!chunk.last) return;
    this.#placed.computed(sequence);
    this.#sample(sequence, logits!);
  }

  /** The engine could not compute these sequences' rows: they end, and their cache is not trusted. */
  failed(sequences: readonly Sequence[], error: Failure): void {
    for (const sequence of sequences) this.#end(sequence, { reason: "error", error }, false);
  }

  /** The cache was full although the books said otherwise: gives up what is only kept, else the last in rank. */
  squeeze(): void {
    const { cached } = this.kv.counts();
    this.kv.reclaim(Infinity);
    if (cached === 0 && this.#placed.running.length > 0) this.#preempt();
  }

  /** Ends every stream with this error. */
  failAll(error: Failure): void {
    this.failed([...this.#live.values()], error);
  }

  /** What the step made, in order. */
  takeOutputs(): readonly StepOutput[] {
    return this.#outputs.take();
  }

  /** Throws where the books do not add up. O(everything). */
  checkIntegrity(): void {
    this.kv.checkIntegrity();
    const placed = [...this.#waiting, ...this.#placed.all()];
    if (placed.length !== this.#live.size || new Set(placed).size !== placed.length) {
      throw new Error(`${this.#live.size} live streams, ${placed.length} in the lists`);
    }
    const { maxSeqs: most } = this.#limits;
    this.#placed.checkIntegrity({ most, isLive: (slot) => this.kv.isLive(slot) });
    let tokens = 0;
    for (const one of this.#waiting) {
      tokens += one.tokens.length;
      if (one.slot !== undefined) throw new Error("a waiting sequence has a slot");
    }
    if (tokens !== this.#waiting.tokens) throw new Error("the waiting tokens are counted wrong");
  }

  #next(sequence: Sequence): ReturnType<typeof nextRestore> {
    const computed = this.kv.computed(sequence.slot!);
    return nextRestore(sequence, { computed, blockSize: this.#limits.blockSize });
  }

  /** Room for one more block; where there is none the rest is computed, for which others may have to go. */
  #hasRoomFor(sequence: Sequence): boolean {
    if (this.kv.reclaim(this.#limits.blockSize)) return true;
    this.#dropHost(sequence);
    return false;
  }

  /** The next prompt to compute: one that stood aside and waits for nothing more, else the first of the line. */
  #begin(): Sequence | undefined {
    const at = this.#placed.aside.findIndex((one) => this.#next(one) === undefined);
    if (at < 0) return this.#admit();
    const [sequence] = this.#placed.aside.splice(at, 1);
    this.#dropHost(sequence);
    return sequence;
  }

  #chunkEnd(start: number, length: number): number {
    const { blockSize, chunkAlone, chunkBeside } = this.#limits;
    const whole = length - length % blockSize;
    if (start >= whole) return length;
    return Math.min(whole, start + (this.#placed.running.length > 0 ? chunkBeside : chunkAlone));
  }

  #admit(): Sequence | undefined {
    const sequence = this.#waiting.first;
    const placed = this.#placed.besidePrefill;
    if (sequence === undefined || placed >= this.#limits.maxSeqs) return undefined;
    const match = this.#match(sequence);
    // Beside others a prompt waits until it fits as a whole: starting it would only preempt them.
    const shared = match !== undefined && this.kv.isLive(match.slot)
      ? match.blocks * this.#limits.blockSize
      : 0;
    const needed = sequence.tokens.length - shared + 1;
    if (placed > 0 && !this.#couldFit(needed)) return undefined;
    const slot = this.#place(sequence, match);
    if (slot === undefined) return undefined;
    this.#waiting.remove(sequence);
    sequence.slot = slot;
    sequence.cachedTokens ??= this.kv.computed(slot);
    return sequence;
  }

  #match(sequence: Sequence): PrefixMatch | undefined {
    return this.kv.match(sequence.tokens, {
      hashes: reusableHashes(sequence, this.#limits.blockSize),
      salt: sequence.salt,
      prefilledOnly: this.#limits.deterministic,
    });
  }

  /** Opens a slot and attaches the match, unless opening the slot had to evict it. */
  #place(sequence: Sequence, match: PrefixMatch | undefined): number | undefined {
    const slot = this.kv.open(sequence.salt);
    if (slot === undefined || match === undefined) return slot;
    const again = this.#match(sequence);
    if (again !== undefined) this.kv.attach(slot, again);
    return slot;
  }

  #couldFit(cells: number): boolean {
    const { cached } = this.kv.counts();
    return this.kv.freeCells + cached * this.#limits.blockSize >=
      cells + this.#placed.running.length;
  }

  /** Takes the last in rank out of its slot; it waits, and is computed again as far as nobody keeps its blocks. */
  #preempt(): Sequence {
    const victim = this.#placed.last();
    if (victim.firstToken !== undefined) {
      this.#end(victim, { reason: "error", error: noRoom(victim) });
      return victim;
    }
    this.#leave(victim, true);
    this.#waiting.add(victim);
    return victim;
  }

  #sample(sequence: Sequence, logits: Float32Array): void {
    const { stop } = sequence.request;
    const index = outputIndex(sequence);
    const banned = index < stop.minTokens
      ? [...this.#limits.eosTokenIds, ...stop.stopTokenIds]
      : undefined;
    const sampled = sequence.sampler.sample(logits, { index, banned });
    if (sampled === undefined) return this.failed([sequence], noLogit());
    const { token } = sampled;
    const ends = (!stop.ignoreEos && this.#eos.has(token)) || stop.stopTokenIds.includes(token);
    if (ends) return this.#end(sequence, { reason: "stop", stopToken: token });
    this.#say(sequence, token, sampled.logprob);
  }

  /** Blocks and tail of a hand-over are in: it says the first token again, as its own, and goes on behind it. */
  #takeOver({ sequence, slot, tokens }: RestorePlan, token: number): void {
    this.kv.append(slot, tokens, "prefill");
    this.#dropHost(sequence);
    sequence.sampler.took(token);
    this.#placed.computed(sequence);
    this.#say(sequence, token, undefined);
  }

  /** The prompt's end is in: as if its last chunk were computed. Of a prompt one token counts as computed. */
  #goOn({ sequence, slot, tokens, end }: RestorePlan, { decoded, row }: Restored): void {
    const { host } = sequence;
    const isFetched = host!.came?.[host!.slots.length - 1] === 1;
    if (isFetched) sequence.fetchedTokens += tokens.length - 1;
    else sequence.hostTokens += tokens.length - 1;
    if (end!.body === undefined) this.kv.append(slot, tokens, "prefill");
    else this.kv.restore(slot, tokens, { host: end!.body.host, decoded });
    this.#dropHost(sequence);
    this.#placed.computed(sequence);
    this.#sample(sequence, row!);
  }

  /** The next token of a sequence is known. */
  #say(sequence: Sequence, token: number, logprob: TokenLogprob | undefined): void {
    const { request: { stop }, tokens } = sequence;
    const isLast = outputIndex(sequence) + 1 >= stop.maxTokens ||
      tokens.length + 1 >= this.#limits.contextLength;
    this.#outputs.token(sequence, token, { logprob, isLast });
    tokens.push(token);
    if (isLast) this.#forget(sequence, true);
    else if (isGiving(sequence)) sequence.firstToken = token;
  }

  #end(sequence: Sequence, end: StreamEnd, keep = true): void {
    this.#outputs.end(sequence, end);
    this.#forget(sequence, keep);
  }

  #forget(sequence: Sequence, keep: boolean): void {
    this.#live.delete(sequence.request.stream);
    this.#dropHost(sequence);
    if (sequence.slot === undefined) this.#waiting.remove(sequence);
    else this.#leave(sequence, keep);
  }

  #dropHost(sequence: Sequence): void {
    if (sequence.host !== undefined) this.#released.push(sequence.host);
    sequence.host = undefined;
  }

  #leave(sequence: Sequence, keep: boolean): void {
    this.#dropHost(sequence);
    sequence.hasRoom = false;
    sequence.kept = 0;
    this.#placed.remove(sequence);
    this.kv.close(sequence.slot!, keep);
    sequence.slot = undefined;
  }
}
