import { isGiving } from "./give_plan.ts";
import { byRank } from "./sequence.ts";
import type { Sequence } from "./sequence.ts";

/** The sequences that hold a slot of the cache, by what they do. Each is in one place; every operation is O(sequences). */
export class PlacedSequences {
  /** They decode. */
  readonly running: Sequence[] = [];
  /** Their next block is on its way to the host tier, or it was and they wait for their turn to compute. */
  readonly aside: Sequence[] = [];
  /** Computed to their end, and still giving. */
  readonly giving: Sequence[] = [];
  /** Its prompt is computed. */
  prefilling: Sequence | undefined;

  /** All but the one whose prompt is computed. */
  get besidePrefill(): number {
    return this.running.length + this.aside.length + this.giving.length;
  }

  /** All of them: those that decode first. */
  all(): readonly Sequence[] {
    const { running, aside, giving, prefilling } = this;
    if (prefilling === undefined && aside.length + giving.length === 0) return running;
    return [...running, ...prefilling === undefined ? [] : [prefilling], ...aside, ...giving];
  }

  /** The last in rank; there must be one. */
  last(): Sequence {
    return this.all().reduce((last, one) => byRank(one, last) > 0 ? one : last);
  }

  /** The whole prompt of one is in the cache: it decodes now, or gives. */
  computed(sequence: Sequence): void {
    const at = this.aside.indexOf(sequence);
    if (at >= 0) this.aside.splice(at, 1);
    else this.prefilling = undefined;
    (isGiving(sequence) ? this.giving : this.running).push(sequence);
  }

  /** The one whose prompt is computed waits for its next block. */
  standAside(): void {
    if (this.prefilling !== undefined) this.aside.push(this.prefilling);
    this.prefilling = undefined;
  }

  /** It holds no slot any more. */
  remove(sequence: Sequence): void {
    if (this.prefilling === sequence) this.prefilling = undefined;
    for (const list of [this.running, this.aside, this.giving]) {
      const at = list.indexOf(sequence);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /** Throws where a slot is missing, not live or held twice, or where there are more than `most`. */
  checkIntegrity({ most, isLive }: {
    readonly most: number;
    readonly isLive: (slot: number) => boolean;
  }): void {
    const all = this.all();
    const slots = all.flatMap((one) => one.slot ?? []);
    if (new Set(slots).size !== slots.length) throw new Error("two sequences share a slot");
    if (slots.some((slot) => !isLive(slot))) throw new Error("a slot is not live");
    if (slots.length !== all.length) throw new Error("a placed sequence has no slot");
    if (slots.length > most) throw new Error("more sequences than allowed");
  }
}
