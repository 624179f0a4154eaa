/** Cuts a text at the first stop string, holding back what could still become one. */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = "";
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Text that is safe to send; `stopped` once a stop string came: nothing follows, and the stop is not sent. */
  push(text: string): { readonly text: string; readonly stopped: boolean } {
    if (this.#stopped) return { text: "", stopped: true };
    if (this.#stops.length === 0) return { text, stopped: false };
    const all = this.#held + text;
    let first = -1;
    for (const stop of this.#stops) {
      const at = all.indexOf(stop);
      if (at >= 0 && (first < 0 || at < first)) first = at;
    }
    if (first >= 0) {
      this.#stopped = true;
      this.#held = "";
      return { text: all.slice(0, first), stopped: true };
    }
    const keep = this.#partial(all);
    this.#held = all.slice(all.length - keep);
    return { text: all.slice(0, all.length - keep), stopped: false };
  }

  /** What was held back, once no text follows. */
  finish(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /** Length of the longest suffix that begins some stop string. */
  #partial(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) {
        if (text.endsWith(stop.slice(0, n))) {
          longest = n;
          break;
        }
      }
    }
    return longest;
  }
}
