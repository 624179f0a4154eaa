import type { FrameStream } from "@pixii/runtime";
import type { ProgramClock } from "./program_clock.ts";

/** What a byte takes from one program of a host to another. */
const wayMs = 0.05;

/** One end of a connection between two programs of a host: in order, and nothing gets lost while both live. */
export class PipeEnd implements FrameStream {
  readonly #clock: ProgramClock;
  #peer: PipeEnd | undefined;
  /** What was sent here and is under way; nothing = the other end's end. */
  readonly #coming: (Uint8Array | undefined)[] = [];
  readonly #there: Uint8Array[] = [];
  #isEnded = false;
  #isOver = false;
  #wake: (() => void) | undefined;

  private constructor(clock: ProgramClock) {
    this.#clock = clock;
  }

  /** Both ends: the first is of the first clock's program. */
  static pair(one: ProgramClock, other: ProgramClock): readonly [PipeEnd, PipeEnd] {
    const ends = [new PipeEnd(one), new PipeEnd(other)] as const;
    [ends[0].#peer, ends[1].#peer] = [ends[1], ends[0]];
    return ends;
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#there.length === 0) {
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const [first] = this.#there;
    const count = Math.min(first.length, into.length);
    into.set(first.subarray(0, count));
    if (count < first.length) this.#there[0] = first.subarray(count);
    else this.#there.shift();
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.#peer!.#send(bytes.slice());
    return Promise.resolve(bytes.length);
  }

  /** This program closes it. */
  close(): void {
    this.cut();
    this.#end();
  }

  /** This program is dead: the other hears that the connection ended. */
  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#peer!.#send(undefined);
  }

  #send(what: Uint8Array | undefined): void {
    this.#coming.push(what);
    this.#clock.timer(wayMs, () => {
      const next = this.#coming.shift();
      if (this.#isEnded) return;
      if (next === undefined) return this.#end();
      this.#there.push(next);
      this.#go();
    });
  }

  #end(): void {
    this.#isEnded = true;
    this.#go();
  }

  #go(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
