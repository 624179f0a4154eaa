import { ageBins, ageEdge } from "./age_bins.ts";
import { classSteps, promptClasses, stepsOfClass } from "./prompt_class.ts";
import type { ReuseSample } from "./reuse_sample.ts";

/** Uses that a class, a feature and a bin are taken to have had as the rest has, before their own count. */
const priorUses = 200;
const priorOfAgeUses = 50;
const priorOfBinUses = 5;
/** Rate of a bin nothing is known of, as part of that of the bin before: it falls with the age as 1 / age. */
const falling = 0.7;
/** Passes of the proportional fit. */
const passes = 3;
/** Bins of one zone of age: features may count differently in each. */
const zoneBins = 4;
const zones = ageBins / zoneBins;

const spans = Array.from({ length: ageBins }, (_, bin) => ageEdge(bin + 1) - ageEdge(bin));
const digits = Array.from({ length: promptClasses }, (_, of) => stepsOfClass(of));

/**
 * What keeping a block is worth, by class and age: the most uses per unit of time that keeping it for some time may bring
 * (the index of Gittins). The rate of use is a rate by age, times a factor per feature of the class, in each zone of age
 * (iterative proportional fitting), drawn to what the class itself did the more the more is known of it.
 */
export class WorthTable {
  readonly #worth = new Float64Array(promptClasses * ageBins);

  /** Uses per unit of time; 0 of a class never weighed. */
  of(of: number, bin: number): number {
    return this.#worth[of * ageBins + bin];
  }

  /** Takes in what was counted. O(classes seen x bins^2). */
  weigh(sample: ReuseSample): void {
    const { classes, uses, risk } = sample;
    const base = rateByAge(sample);
    const expected = (of: number, bin: number) => risk[of * ageBins + bin] * base[bin];
    const all = fit(classes, 1, { used: sums(uses, 1), expected, prior: priorUses });
    const byZone = fit(classes, zones, {
      used: sums(uses, zones),
      expected: (of, bin) => expected(of, bin) * all[of],
      prior: priorOfAgeUses,
    });
    const rates = new Float64Array(ageBins);
    for (const of of classes) {
      for (let bin = 0; bin < ageBins; bin++) {
        const rate = base[bin] * all[of] * byZone[of * zones + zoneOf(bin, zones)];
        const at = of * ageBins + bin;
        rates[bin] = (uses[at] + priorUses) / (risk[at] + priorUses / rate);
      }
      this.#index(of, rates);
    }
  }

  #index(of: number, rates: Float64Array): void {
    const stays = rates.map((rate, bin) => Math.exp(-rate * spans[bin]));
    for (let from = 0; from < ageBins; from++) {
      let [kept, time, most] = [1, 0, 0];
      for (let bin = from; bin < ageBins; bin++) {
        const left = kept * stays[bin];
        time += (kept + left) / 2 * spans[bin];
        kept = left;
        if (1 - kept > most * time) most = (1 - kept) / time;
      }
      this.#worth[of * ageBins + from] = most;
    }
  }
}

const zoneOf = (bin: number, count: number): number => Math.floor(bin * count / ageBins);

/** Sum of a class's counts over the bins of each zone. */
function sums(counts: Float64Array, count: number): (of: number) => Float64Array {
  return (of) => {
    const sum = new Float64Array(count);
    for (let bin = 0; bin < ageBins; bin++) {
      sum[zoneOf(bin, count)] += counts[of * ageBins + bin];
    }
    return sum;
  };
}

/** Uses per block and unit of time by age, of all classes; each bin drawn to the one before. */
function rateByAge({ classes, uses, risk }: ReuseSample): Float64Array {
  const [used, atRisk] = [new Float64Array(ageBins), new Float64Array(ageBins)];
  for (const of of classes) {
    for (let bin = 0; bin < ageBins; bin++) {
      used[bin] += uses[of * ageBins + bin];
      atRisk[bin] += risk[of * ageBins + bin];
    }
  }
  const total = (counts: Float64Array) => counts.reduce((sum, one) => sum + one, 0);
  let before = (total(used) + 1e-6) / (total(atRisk) + 1);
  return used.map((count, bin) => {
    before = (count + priorOfBinUses * falling) / (atRisk[bin] + priorOfBinUses / before);
    return before;
  });
}

/** Per class and zone: the product of its features' factors that makes the expected uses of each feature the seen ones. */
function fit(
  classes: readonly number[],
  count: number,
  counts: {
    readonly used: (of: number) => Float64Array;
    readonly expected: (of: number, bin: number) => number;
    readonly prior: number;
  },
): Float64Array {
  const factors = new Float64Array(promptClasses * count).fill(1);
  const used = classes.map(counts.used);
  const expected = classes.map((of) => {
    const sum = new Float64Array(count);
    for (let bin = 0; bin < ageBins; bin++) sum[zoneOf(bin, count)] += counts.expected(of, bin);
    return sum;
  });
  for (let pass = 0; pass < passes; pass++) {
    for (let feature = 0; feature < classSteps.length; feature++) {
      const seen = new Float64Array(classSteps[feature] * count).fill(counts.prior);
      const hoped = seen.slice();
      classes.forEach((of, i) => {
        for (let zone = 0; zone < count; zone++) {
          const at = digits[of][feature] * count + zone;
          seen[at] += used[i][zone];
          hoped[at] += expected[i][zone] * factors[of * count + zone];
        }
      });
      for (const of of classes) {
        for (let zone = 0; zone < count; zone++) {
          const at = digits[of][feature] * count + zone;
          factors[of * count + zone] *= seen[at] / hoped[at];
        }
      }
    }
  }
  return factors;
}
