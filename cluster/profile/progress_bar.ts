/** A progress bar's port: where it is drawn. */
export interface BarOptions {
  readonly write: (text: string) => void;
  /** True redraws one line; false prints a line per ten percent. */
  readonly isTerminal: boolean;
  /** Units in all. */
  readonly total: number;
}

/** Progress by units of work on one line, with what is done just now. */
export class ProgressBar {
  readonly #options: BarOptions;
  #done = 0;
  #tenths = 0;

  constructor(options: BarOptions) {
    this.#options = options;
  }

  /** `units` more are done; `label` says of what. */
  advance(units: number, label: string): void {
    const { total, isTerminal, write } = this.#options;
    this.#done = Math.min(total, this.#done + units);
    const share = total === 0 ? 1 : this.#done / total;
    const percent = `${Math.floor(100 * share)}%`.padStart(4);
    if (isTerminal) {
      const full = Math.round(30 * share);
      write(`\r\x1b[2K${"█".repeat(full)}${"░".repeat(30 - full)} ${percent} ${label}`);
      return;
    }
    const tenths = Math.floor(10 * share);
    if (tenths === this.#tenths) return;
    this.#tenths = tenths;
    write(`${percent} ${label}\n`);
  }

  /** Ends the line. */
  end(): void {
    if (this.#options.isTerminal) this.#options.write("\n");
  }
}
