import { ChurnMap, comingPage } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type { HostRun, Landing } from "./kv_store.ts";

/** A lease of which blocks are still to come. */
interface ComingRun {
  readonly generation: number;
  /** Its blocks, once the question was answered; before that what landed is kept. */
  run: HostRun | undefined;
  readonly early: Landing[];
  coming: number;
  /** Longest wait for the next of them. */
  stallMs: (coming: number) => number;
  timer: Disposable | undefined;
}

/** Leases whose blocks are on their way: notes what lands, and gives up what does not come in time. */
export class ComingRuns {
  readonly #runs = new ChurnMap<number, ComingRun>();
  readonly #clock: Clock;
  readonly #say: (generation: number, landings: readonly Landing[]) => void;

  /** `say` hears of every block that landed (slot 0: it does not come), after its run was answered. */
  constructor(
    clock: Clock,
    say: (generation: number, landings: readonly Landing[]) => void,
  ) {
    this.#clock = clock;
    this.#say = say;
  }

  /** Leases that wait. */
  get size(): number {
    return this.#runs.size;
  }

  /** A question is asked: word of its lease may come before its answer. */
  expect(lease: number, generation: number): void {
    const stallMs = () => 0;
    const waiting = { run: undefined, early: [], coming: 0, stallMs, timer: undefined };
    this.#runs.set(lease, { generation, ...waiting });
  }

  /** The question is answered: the run's slots and pages change as its blocks land. */
  answered(run: HostRun, stallMs: (coming: number) => number): void {
    const known = this.#runs.get(run.lease);
    if (known === undefined) return;
    known.run = run;
    known.stallMs = stallMs;
    run.slots.forEach((slot, i) => {
      if (slot === 0 && run.pages[i] === comingPage) known.coming += 1;
    });
    for (const landing of known.early.splice(0)) this.#note(known, run, landing);
    this.#arm(known, run.lease);
  }

  /** The lease is over, or was not answered. */
  forget(lease: number): void {
    this.#runs.get(lease)?.timer?.[Symbol.dispose]();
    this.#runs.delete(lease);
  }

  /** The pool is gone with all its leases. */
  clear(): void {
    for (const lease of [...this.#runs.keys()]) this.forget(lease);
  }

  /** What became of blocks. */
  landed(landings: readonly Landing[]): void {
    for (const landing of landings) {
      const known = this.#runs.get(landing.lease);
      if (known === undefined) continue;
      const { run } = known;
      if (run === undefined) known.early.push(landing);
      else if (this.#note(known, run, landing)) {
        this.#say(known.generation, [landing]);
        this.#arm(known, landing.lease);
      }
    }
  }

  /** What is still coming has to come within so long, or not at all. */
  hurry(lease: number, ms: number): void {
    const known = this.#runs.get(lease);
    if (known === undefined) return;
    known.stallMs = () => ms;
    if (known.run !== undefined) this.#arm(known, lease);
  }

  /** False where it was known already. */
  #note(known: ComingRun, run: HostRun, { position, slot, page }: Landing): boolean {
    const isComing = run.slots[position] === 0 && run.pages[position] === comingPage;
    if (!isComing) return false;
    run.slots[position] = slot;
    run.pages[position] = slot === 0 ? 0 : page;
    known.coming -= 1;
    return true;
  }

  /** The next one has its time; with none to come nothing is waited for. */
  #arm(known: ComingRun, lease: number): void {
    known.timer?.[Symbol.dispose]();
    known.timer = undefined;
    if (known.coming === 0) return void this.#runs.delete(lease);
    const ms = known.stallMs(known.coming);
    known.timer = this.#clock.timer(ms, () => this.#giveUp(known, lease));
  }

  #giveUp(known: ComingRun, lease: number): void {
    const run = known.run!;
    const lost: Landing[] = [];
    run.slots.forEach((slot, position) => {
      const isComing = slot === 0 && run.pages[position] === comingPage;
      if (isComing) lost.push({ lease, position, slot: 0, page: 0 });
    });
    for (const landing of lost) this.#note(known, run, landing);
    this.#runs.delete(lease);
    this.#say(known.generation, lost);
  }
}
