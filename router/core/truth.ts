import type { InstanceId, KvEventBatch, ModelCard, RouteRequest } from "@pixii/wire";
import { Approximations } from "./approximations.ts";
import type { ApproxRules } from "./approximations.ts";
import { Audits } from "./audits.ts";
import type { AuditResult, AuditRules } from "./audits.ts";
import { CountBack } from "./count_back.ts";
import type { Doubt } from "./doubt.ts";
import { sourceKey } from "./event_source.ts";
import type { EventStreams, OpenStream } from "./event_streams.ts";
import { HashProofs } from "./hash_proofs.ts";
import type { HashProof } from "./hash_proofs.ts";
import type { Rank } from "./rank.ts";
import { Restored } from "./restored.ts";
import type { RestoredFrom } from "./restored.ts";
import { resync } from "./resync.ts";

/** What is done for the truth of the index. */
export interface TruthRules {
  readonly audit: AuditRules;
  readonly approx: ApproxRules;
}

/** Nothing is audited and nothing supposed: for who does not say otherwise. */
export const noTruthRules: TruthRules = {
  audit: { everyMs: 0, blocks: 0 },
  approx: { ttlMs: 0, blocks: 0 },
};

/** Steps that an engine makes without one event before it counts as one that tells of none. */
const quietSteps = 64;

/** What the truth has come to since it was last asked, for metrics. */
export interface TruthCounts {
  /** Restored sources that joined their live stream, that did not, and that heard nothing of it. */
  joined: number;
  outdated: number;
  unheard: number;
  /** Publishers that counted back without a new epoch. */
  countedBack: number;
}

/** Everything that keeps the index honest: audits, suppositions, restored snapshots, publishers that count back. */
export class Truth {
  readonly audits: Audits;
  readonly approx: Approximations;
  readonly restored = new Restored();
  readonly counts: TruthCounts = { joined: 0, outdated: 0, unheard: 0, countedBack: 0 };
  readonly #streams: EventStreams;
  readonly #proofs = new HashProofs();
  readonly #back = new CountBack();

  constructor(
    parts: {
      readonly streams: EventStreams;
      readonly rules: TruthRules;
      readonly router: InstanceId;
    },
  ) {
    this.#streams = parts.streams;
    this.audits = new Audits(parts.rules.audit, parseInt(parts.router.slice(-8), 16));
    this.approx = new Approximations(parts.rules.approx);
  }

  /** A source is followed. */
  opened(opened: OpenStream): void {
    this.audits.open(opened);
  }

  /** A source is gone, with its blocks. */
  closed(key: string): void {
    this.audits.close(key);
    this.approx.closed(key);
    this.#back.forget(key);
  }

  /** What a card proves of its worker's hashes. */
  proofOf(card: ModelCard): HashProof {
    return this.#proofs.of(card);
  }

  /** How much the blocks of a rank count. */
  doubtOf(rank: Pick<Rank, "sources" | "proof">): Doubt | undefined {
    return this.audits.doubtOf(rank.sources, rank.proof ?? "none");
  }

  /** A decision was made for a rank: it may be sampled, or supposed to come true. */
  placed(rank: Rank, request: RouteRequest, nowMs: number): void {
    const { hashes } = request;
    const { sources, card } = rank;
    this.audits.credited({ model: card.hash, sources, hashes }, nowMs);
    if (!isEventless(rank)) return;
    const opened = this.#streams.get(sources[0]);
    const list = hashes.find((entry) => entry.blockSize === card.blockSize)?.list;
    if (opened === undefined || list === undefined) return;
    const { state, number, blocks } = opened.stream;
    // What it holds by an owner's word is not to be mixed with what is supposed.
    const isTold = number > 0 || (blocks > 0 && !this.approx.has(opened.key));
    if (state === "exact" && !isTold) this.approx.placed(opened, list, nowMs);
  }

  /** A batch is about to be applied: what was supposed of its source is over. */
  beforeBatch(batch: KvEventBatch): void {
    if (this.approx.blocks > 0) this.approx.replaced(sourceKey(batch));
  }

  /** True while nothing is supposed or restored: then a batch only moves what is audited. */
  get isQuiet(): boolean {
    return this.approx.blocks === 0 && this.restored.size === 0;
  }

  /** The next batch of a source was applied, and nothing else is to be thought of: `isQuiet`. */
  moved(key: string, nowMs: number): void {
    this.audits.moved(key, nowMs);
  }

  /** A batch was taken in. */
  afterBatch(batch: KvEventBatch, nowMs: number): void {
    if (this.restored.size + this.audits.samples === 0) return;
    const key = sourceKey(batch);
    if (this.restored.size > 0) {
      const opened = this.#streams.get(key);
      const { number, epoch } = batch;
      if (opened !== undefined) this.#join(opened, { key, number, epoch }, nowMs);
    }
    this.audits.moved(key, nowMs);
  }

  /** A snapshot is about to be put in, or was. */
  beforeSwap(key: string): void {
    this.approx.replaced(key);
  }

  /** A snapshot was put in. */
  afterSwap(key: string, nowMs: number): void {
    this.audits.moved(key, nowMs);
  }

  /** A source told its last number, which the streams do not know yet. */
  reported(key: string, number: number, nowMs: number): void {
    const opened = this.#streams.get(key);
    if (opened === undefined) return;
    if (number > 0) this.approx.replaced(key);
    if (this.restored.size > 0) this.#join(opened, { key, number }, nowMs);
    const now = { applied: opened.stream.number, ms: nowMs };
    if (!this.#back.told(key, number, now)) return;
    this.counts.countedBack += 1;
    this.#resync(key, nowMs);
  }

  /**
   * Takes a snapshot that is not its owner's own; false where too many wait. It joins at once where the live stream
   * was heard before, else with its next word.
   */
  restore(batch: KvEventBatch, from: RestoredFrom, nowMs: number): boolean {
    if (!this.restored.put(batch, from, nowMs)) return false;
    const key = sourceKey(batch);
    const opened = this.#streams.get(key);
    const number = opened?.stream.state === "behind" ? opened.stream.heard : 0;
    if (opened !== undefined && number > 0) this.#join(opened, { key, number }, nowMs);
    return true;
  }

  /** Drops what is over by now. */
  sweep(nowMs: number): void {
    this.approx.expire(nowMs);
    this.counts.unheard += this.restored.expire(nowMs);
  }

  /** What audits came out; sources that were found wrong are given up and asked for their snapshots. */
  takeResults(nowMs: number): AuditResult[] {
    const results = this.audits.takeResults(nowMs);
    for (const { key, change } of results) if (change?.mustResync) this.#resync(key, nowMs);
    return results;
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    this.audits.checkIntegrity();
    this.approx.checkIntegrity();
  }

  #join(
    opened: OpenStream,
    live: { readonly key: string; readonly number: number; readonly epoch?: string },
    nowMs: number,
  ): void {
    const joined = this.restored.join(opened.stream, live, nowMs);
    if (joined === undefined) return;
    this.counts[joined.result] += 1;
    // Its own snapshot is asked for: until then nothing of it counts.
    if (joined.mustResync) this.#resync(live.key, nowMs);
    else this.audits.moved(live.key, nowMs);
  }

  #resync(key: string, nowMs: number): void {
    resync(this.#streams, key, nowMs);
    this.audits.moved(key, nowMs);
  }
}

/** True where the engine of a rank reuses blocks and tells of none. */
function isEventless({ card, report }: Rank): boolean {
  if (card.reuse === "none" || card.kvEvents === true) return false;
  if (card.kvEvents === false) return true;
  return report !== undefined && report.kvEventNumber === 0 && report.stepCount >= quietSteps;
}
