/** Classes of blocks that are told apart. */
const classes = 16;
/** Ages are counted in bins three to an octave, from a quarter of a second to 27 minutes; what is not used again by then never is. */
const bins = 32;
const edgeS = (bin: number) => 2 ** (bin / 3) - 1;
/** Weight of what all classes did, in block-seconds, while a class has seen little. */
const priorS = 200;

/**
 * How often blocks of a class are asked for again, by the time since their last use, learnt while it runs; and from that
 * how much a block is worth: the most hits per second that keeping it for some time may bring (the index of Gittins).
 */
export class ReuseRates {
  /** Uses and seconds at risk per class and bin, and of all classes. */
  readonly #uses = new Float64Array(classes * bins);
  readonly #riskS = new Float64Array(classes * bins);
  readonly #allUses = new Float64Array(bins);
  readonly #allRiskS = new Float64Array(bins);
  readonly #worth = new Float64Array(classes * bins);
  /** Last uses in order, and per bin the first that is not past it. */
  readonly #blocks: number[] = [];
  readonly #atS: number[] = [];
  readonly #of: number[] = [];
  readonly #passed = new Int32Array(bins);
  /** Last use by block, to know whether one of the lists is still the last. */
  readonly #lastS: Float64Array;

  constructor(blocks: number) {
    this.#lastS = new Float64Array(blocks).fill(-Infinity);
  }

  /** A block of a class, last used as `before` tells, is used now. */
  used(
    block: number,
    use: { readonly before: number; readonly now: number; readonly nowS: number },
  ) {
    const ageS = use.nowS - this.#lastS[block];
    if (ageS < edgeS(bins)) {
      const bin = binOf(ageS);
      this.#risk(use.before, bin, ageS - edgeS(bin));
      this.#uses[use.before * bins + bin] += 1;
      this.#allUses[bin] += 1;
    }
    this.#lastS[block] = use.nowS;
    this.#blocks.push(block);
    this.#atS.push(use.nowS);
    this.#of.push(use.now);
  }

  /** Counts the seconds that passed without a use. O(uses since the last call x bins) over all calls. */
  pass(nowS: number): void {
    for (let bin = 0; bin < bins; bin++) {
      const endS = edgeS(bin + 1);
      let at = this.#passed[bin];
      for (; at < this.#atS.length && nowS - this.#atS[at] > endS; at++) {
        if (this.#lastS[this.#blocks[at]] === this.#atS[at]) {
          this.#risk(this.#of[at], bin, endS - edgeS(bin));
        }
      }
      this.#passed[bin] = at;
    }
  }

  /** Makes `worth` up to date. O(classes x bins^2). */
  weigh(): void {
    for (let of = 0; of < classes; of++) {
      for (let from = 0; from < bins; from++) {
        let [kept, seconds, most] = [1, 0, 0];
        for (let bin = from; bin < bins; bin++) {
          const spanS = edgeS(bin + 1) - edgeS(bin);
          const left = kept * Math.exp(-this.#rate(of, bin) * spanS);
          seconds += (kept + left) / 2 * spanS;
          kept = left;
          most = Math.max(most, (1 - kept) / seconds);
        }
        this.#worth[of * bins + from] = most;
      }
    }
  }

  /** Hits per second that keeping a block may bring, as `weigh` last found. O(1). */
  worth(block: number, of: number, nowS: number): number {
    return this.#worth[of * bins + binOf(nowS - this.#lastS[block])];
  }

  #rate(of: number, bin: number): number {
    const all = (this.#allUses[bin] + 1e-3) / (this.#allRiskS[bin] + 10);
    const at = of * bins + bin;
    return (this.#uses[at] + priorS * all) / (this.#riskS[at] + priorS);
  }

  #risk(of: number, bin: number, seconds: number): void {
    this.#riskS[of * bins + bin] += seconds;
    this.#allRiskS[bin] += seconds;
  }
}

function binOf(ageS: number): number {
  return Math.min(bins - 1, Math.max(0, Math.floor(3 * Math.log2(1 + Math.max(0, ageS)))));
}
