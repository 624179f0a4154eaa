import type { AuditAnswer, HashList, ModelHash } from "@pixii/wire";
import { AuditSample } from "./audit_sample.ts";
import type { OpenStream } from "./event_streams.ts";
import type { EventSource } from "./event_source.ts";
import type { Doubt } from "./doubt.ts";
import type { HashProof } from "./hash_proofs.ts";
import { Trust } from "./trust.ts";
import type { TrustChange, TrustState } from "./trust.ts";

/** How often and how much is audited. */
export interface AuditRules {
  /** Time between two audits of a source; 0 = none. */
  readonly everyMs: number;
  /** Blocks of one audit. */
  readonly blocks: number;
}

/** Longest that an answer waits for the batches it knows of. */
const catchUpMs = 2_000;
/** Sources in doubt that one decision is looked through for. */
const mostDoubtful = 4;

/** An audit to be asked of a source. */
export interface AuditAsk {
  readonly key: string;
  readonly source: EventSource;
  readonly asked: HashList;
}

/** What became of an audit. */
export interface AuditResult {
  readonly key: string;
  readonly source: EventSource;
  readonly kind: "match" | "mismatch" | "unclear" | "unanswered";
  /** Blocks that were there, and that were not. */
  readonly held: number;
  readonly gone: number;
  /** Set for a match or a mismatch. */
  readonly change?: TrustChange;
}

interface Audited {
  readonly opened: OpenStream;
  readonly trust: Trust;
  /** When the next sample is wanted. */
  dueMs: number;
  sample: AuditSample | undefined;
  isAsked: boolean;
  answer: { readonly value: AuditAnswer; readonly untilMs: number } | undefined;
  audits: number;
}

/** Facts of a source's audits, for people. */
export interface AuditFacts {
  readonly trust: TrustState;
  /** Audits that came out. */
  readonly audits: number;
}

/**
 * The truth audit: what the index credits a source with is compared, a few blocks at a time, with what the source says
 * it holds. Samples are taken from decisions, so what is audited is what counts. Pure: time is an argument; who asks is
 * the shell.
 */
export class Audits {
  readonly #rules: AuditRules;
  readonly #sources = new Map<string, Audited>();
  /** Samples that wait to be asked for. */
  readonly #ready = new Set<Audited>();
  /** Sources whose answer waits for batches. */
  readonly #waiting = new Set<Audited>();
  readonly #doubtful = new Set<Audited>();
  #results: AuditResult[] = [];
  #samples = 0;
  #mix: number;

  /** `seed`: which blocks are drawn; any number. */
  constructor(rules: AuditRules, seed = 1) {
    this.#rules = rules;
    this.#mix = seed >>> 0;
  }

  /** Follows a source; a known one stays as it is. */
  open(opened: OpenStream): void {
    const known = this.#sources.get(opened.key);
    if (known?.opened === opened) return;
    if (known !== undefined) this.close(opened.key);
    this.#sources.set(opened.key, {
      ...{ opened, trust: new Trust(), dueMs: -Infinity, sample: undefined, isAsked: false },
      ...{ answer: undefined, audits: 0 },
    });
  }

  /** Forgets a source. */
  close(key: string): void {
    const known = this.#sources.get(key);
    if (known === undefined) return;
    this.#sources.delete(key);
    if (known.sample !== undefined) this.#samples -= 1;
    for (const set of [this.#ready, this.#waiting, this.#doubtful]) set.delete(known);
  }

  /** Facts of a source. */
  factsOf(key: string): AuditFacts | undefined {
    const known = this.#sources.get(key);
    return known && { trust: known.trust.state, audits: known.audits };
  }

  /** How many sources are believed how far. */
  counts(): Readonly<Record<TrustState, number>> {
    const counts = { exact: 0, degraded: 0, off: 0 };
    for (const { trust } of this.#sources.values()) counts[trust.state] += 1;
    return counts;
  }

  /** How much the blocks of a rank count, where not in full; by its sources and what its card proves. */
  doubtOf(sources: readonly string[], proof: HashProof): Doubt | undefined {
    if (proof === "foreign") return { device: 0, host: 0, disk: 0 };
    if (this.#doubtful.size === 0) return undefined;
    const doubt = { device: 1, host: 1, disk: 1 };
    for (const key of sources) {
      const known = this.#sources.get(key);
      const tier = known?.opened.stream.source.tier;
      if (known === undefined || tier === undefined || tier === "remote") continue;
      doubt[tier] = known.trust.factor;
    }
    return doubt.device + doubt.host + doubt.disk === 3 ? undefined : doubt;
  }

  /** A decision rested on what the index says of `sources`: a sample of it is kept where one is due. */
  credited(
    decision: {
      readonly model: ModelHash;
      readonly sources: readonly string[];
      readonly hashes: readonly { readonly blockSize: number; readonly list: HashList }[];
    },
    nowMs: number,
  ): void {
    if (this.#rules.everyMs === 0) return;
    for (const key of decision.sources) {
      const known = this.#sources.get(key);
      if (known !== undefined) this.#sample(known, decision.hashes, nowMs);
    }
    let left = mostDoubtful;
    // Whoever is not believed is seldom chosen: it is proven by what others are asked for.
    for (const known of this.#doubtful) {
      if (left-- === 0) break;
      if (known.opened.stream.source.model !== decision.model) continue;
      this.#sample(known, decision.hashes, nowMs);
    }
  }

  /** Samples that are followed: while there are none, `moved` has nothing to do. */
  get samples(): number {
    return this.#samples;
  }

  /** At most `most` audits to ask for now; each ends with `answered` or `unanswered`. */
  takeAsks(most: number): AuditAsk[] {
    const asks: AuditAsk[] = [];
    for (const known of this.#ready) {
      if (asks.length >= most) break;
      this.#ready.delete(known);
      known.isAsked = true;
      const { key, stream: { source } } = known.opened;
      asks.push({ key, source, asked: known.sample!.asked });
    }
    return asks;
  }

  /** The source answered; an answer to a former question is passed over. */
  answered(ask: AuditAsk, answer: AuditAnswer, nowMs: number): void {
    const known = this.#asked(ask);
    if (known === undefined || known.answer !== undefined) return;
    known.answer = { value: answer, untilMs: nowMs + catchUpMs };
    this.#look(known, nowMs);
  }

  /** The source did not answer, or refused. */
  unanswered(ask: AuditAsk, nowMs: number): void {
    const known = this.#asked(ask);
    if (known !== undefined) this.#end(known, nowMs, { kind: "unanswered" });
  }

  /** The stream of a source applied something. */
  moved(key: string, nowMs: number): void {
    if (this.#samples === 0) return;
    const known = this.#sources.get(key);
    if (known?.sample === undefined) return;
    known.sample.moved(known.opened.stream.number);
    if (known.answer !== undefined) this.#look(known, nowMs);
  }

  /** What came out since the last call; answers that wait in vain are given up. */
  takeResults(nowMs: number): AuditResult[] {
    for (const known of this.#waiting) this.#look(known, nowMs);
    const results = this.#results;
    this.#results = [];
    return results;
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    let samples = 0;
    for (const [key, known] of this.#sources) {
      const { sample, isAsked, answer, trust } = known;
      const isReady = this.#ready.has(known);
      if (sample !== undefined) samples += 1;
      if (known.opened.key !== key) throw new Error(`source ${key} is audited as another`);
      if ((sample !== undefined) !== (isAsked || isReady) || (isAsked && isReady)) {
        throw new Error(`the audit of ${key} is neither asked for nor ready`);
      }
      if ((answer !== undefined) !== this.#waiting.has(known)) {
        throw new Error(`the answer of ${key} waits for nobody`);
      }
      if ((trust.state !== "exact") !== this.#doubtful.has(known)) {
        throw new Error(`the doubt about ${key} is not booked`);
      }
    }
    if (samples !== this.#samples) throw new Error(`${samples} samples, ${this.#samples} counted`);
    for (const set of [this.#ready, this.#waiting, this.#doubtful]) {
      for (const one of set) {
        if (this.#sources.get(one.opened.key) !== one) {
          throw new Error("a closed source is audited");
        }
      }
    }
  }

  #asked({ key, asked }: AuditAsk): Audited | undefined {
    const known = this.#sources.get(key);
    return known?.isAsked === true && known.sample?.asked === asked ? known : undefined;
  }

  #sample(
    known: Audited,
    hashes: readonly { readonly blockSize: number; readonly list: HashList }[],
    nowMs: number,
  ): void {
    if (known.sample !== undefined || nowMs < known.dueMs) return;
    const { stream, index, slot } = known.opened;
    // Without events there is no truth to compare with; while something is missing, no moment to compare at.
    if (stream.state !== "exact" || stream.number === 0) return;
    const { blockSize } = stream.source;
    const list = hashes.find((entry) => entry.blockSize === blockSize)?.list;
    if (list === undefined) return;
    const where = { index, slot, number: stream.number };
    const options = { most: this.#rules.blocks, draw: () => this.#draw() };
    known.sample = AuditSample.take(where, list, options);
    if (known.sample === undefined) return;
    this.#samples += 1;
    this.#ready.add(known);
  }

  #look(known: Audited, nowMs: number): void {
    const { stream } = known.opened;
    const { value, untilMs } = known.answer!;
    const isSameEpoch = value.epoch === stream.epoch;
    const verdict = isSameEpoch ? known.sample!.compare(value.number, value.held) : undefined;
    if (verdict?.kind === "later" && nowMs < untilMs) {
      this.#waiting.add(known);
      return;
    }
    if (verdict?.kind !== "compared") return this.#end(known, nowMs, { kind: "unclear" });
    const { held, gone } = verdict;
    known.audits += 1;
    const change = known.trust.audited(gone === 0);
    if (change.to === "exact") this.#doubtful.delete(known);
    else this.#doubtful.add(known);
    this.#end(known, nowMs, { kind: gone === 0 ? "match" : "mismatch", held, gone, change });
  }

  #end(
    known: Audited,
    nowMs: number,
    result: Pick<AuditResult, "kind" | "change"> & Partial<Pick<AuditResult, "held" | "gone">>,
  ): void {
    known.sample = undefined;
    this.#samples -= 1;
    known.isAsked = false;
    known.answer = undefined;
    this.#waiting.delete(known);
    // In doubt it is asked four times as often: it shall be proven, or not be believed, soon.
    const part = this.#doubtful.has(known) ? 4 : 1;
    known.dueMs = nowMs + this.#rules.everyMs / part * (0.75 + 0.5 * this.#draw());
    const { key, stream: { source } } = known.opened;
    this.#results.push({ key, source, held: 0, gone: 0, ...result });
  }

  /** In [0, 1); a linear congruence is chance enough to choose blocks by (Numerical Recipes' constants). */
  #draw(): number {
    this.#mix = (Math.imul(this.#mix, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#mix / 4_294_967_296;
  }
}
