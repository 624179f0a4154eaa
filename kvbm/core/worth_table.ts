import { ageBins, ageEdge } from "./age_bins.ts";
import { classSteps, promptClasses } from "./prompt_class.ts";
import type { ReuseSample } from "./reuse_sample.ts";

/** What was counted of each class by age. */
export type ReuseCounts = Pick<ReuseSample, "classes" | "uses" | "risk">;

/** Uses that a group of classes is taken to have had as the group around it, in all and in each bin, before its own. */
const priorUses = 50;
const priorOfBinUses = 5;
/** Rate of a bin nothing is known of, as part of that of the bin before: it falls with the age as 1 / age. */
const falling = 0.7;

const spans = Array.from({ length: ageBins }, (_, bin) => ageEdge(bin + 1) - ageEdge(bin));
/** Classes of a group, by how many features its classes share: the first, the first two ... all. */
const groupSizes = classSteps.map((_, i) =>
  classSteps.slice(i + 1).reduce((all, steps) => all * steps, 1)
);

/** Classes that share their first features, and their uses per block and unit of time by age. */
interface ClassGroup {
  readonly classes: readonly number[];
  readonly rates: Float64Array;
}

/**
 * What keeping a block is worth, by class and age: the most uses per unit of time that keeping it for some time may bring
 * (the index of Gittins). The rate of use by age is that of all blocks, drawn step by step to that of the classes that
 * share the first feature, the first two ... and to what the class itself did, each the more the more is known of it.
 */
export class WorthTable {
  readonly #worth = new Float64Array(promptClasses * ageBins);

  /** Uses per unit of time; 0 of a class never weighed. */
  of(of: number, bin: number): number {
    return this.#worth[of * ageBins + bin];
  }

  /** Takes in what was counted. O(classes seen x bins^2). */
  weigh(sample: ReuseCounts): void {
    let groups: ClassGroup[] = [{ classes: sample.classes, rates: rateByAge(sample) }];
    for (const size of groupSizes) {
      groups = groups.flatMap((around) => split(around, size, sample));
    }
    for (const { classes, rates } of groups) this.#index(classes[0], rates);
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
      this.#worth[of * ageBins + from] = stepped(most);
    }
  }
}

/** Worth in steps of about a hundredth: what differs by less is worth the same, and then the longest unused goes. */
function stepped(worth: number): number {
  return worth > 0 ? Math.exp(Math.round(Math.log(worth) * 64) / 64) : 0;
}

/** Uses and time at risk of some classes, by age. */
function countsOf(classes: readonly number[], { uses, risk }: ReuseCounts) {
  const [used, atRisk] = [new Float64Array(ageBins), new Float64Array(ageBins)];
  for (const of of classes) {
    for (let bin = 0; bin < ageBins; bin++) {
      used[bin] += uses[of * ageBins + bin];
      atRisk[bin] += risk[of * ageBins + bin];
    }
  }
  return { used, atRisk };
}

/** Uses per block and unit of time by age, of all classes; each bin drawn to the one before. */
function rateByAge(sample: ReuseCounts): Float64Array {
  const { used, atRisk } = countsOf(sample.classes, sample);
  const total = (counts: Float64Array) => counts.reduce((sum, one) => sum + one, 0);
  let before = (total(used) + 1e-6) / (total(atRisk) + 1);
  return used.map((count, bin) => {
    before = (count + priorOfBinUses * falling) / (atRisk[bin] + priorOfBinUses / before);
    return before;
  });
}

/**
 * The groups of `size` classes within a group. A group's rates are those around it times one factor, which makes its
 * expected uses the seen ones, and each bin is then drawn to what was counted in it.
 */
function split(around: ClassGroup, size: number, sample: ReuseCounts): ClassGroup[] {
  const groups = Map.groupBy(around.classes, (of) => Math.floor(of / size));
  return [...groups.values()].map((classes) => {
    const { used, atRisk } = countsOf(classes, sample);
    let [seen, expected] = [priorUses, priorUses];
    for (let bin = 0; bin < ageBins; bin++) {
      seen += used[bin];
      expected += atRisk[bin] * around.rates[bin];
    }
    const factor = seen / expected;
    const rates = used.map((count, bin) =>
      (count + priorUses) / (atRisk[bin] + priorUses / (around.rates[bin] * factor))
    );
    return { classes, rates };
  });
}
