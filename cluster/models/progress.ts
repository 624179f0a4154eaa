/** Where a download tells how far it is. */
export interface Progress {
  /** A line for people: which source, which file, why one was passed over. */
  note(line: string): void;
  /** `doneBytes` of `totalBytes` (undefined = not known) of the file `label` are there. */
  at(label: string, doneBytes: number, totalBytes: number | undefined): void;
  /** The file is complete or given up: ends a progress bar. */
  end(): void;
}

/** Says nothing. */
export const silentProgress: Progress = { note: () => {}, at: () => {}, end: () => {} };

/** Options of `textProgress`. */
export interface TextProgressOptions {
  /** Writes text as it is. */
  readonly write: (text: string) => void;
  /** True draws a bar on one line; false prints a line per ten percent. */
  readonly bar: boolean;
  /** Milliseconds, monotonic, for the rate and to redraw at most ten times a second. */
  readonly nowMs: () => number;
}

/** Progress as a bar on a terminal, or as plain lines elsewhere. */
export function textProgress(options: TextProgressOptions): Progress {
  let drawnMs = -Infinity;
  let began: { label: string; ms: number; bytes: number } | undefined;
  let tenths = -1;
  let barOpen = false;
  const closeBar = () => {
    if (barOpen) options.write("\n");
    barOpen = false;
  };
  return {
    note(line) {
      closeBar();
      options.write(`${line}\n`);
    },
    at(label, doneBytes, totalBytes) {
      const now = options.nowMs();
      if (began?.label !== label) {
        began = { label, ms: now, bytes: doneBytes };
        tenths = -1;
        drawnMs = -Infinity;
      }
      const rate = now > began.ms ? ((doneBytes - began.bytes) * 1000) / (now - began.ms) : 0;
      const whole = totalBytes === doneBytes;
      if (options.bar) {
        if (now - drawnMs < 100 && !whole) return;
        drawnMs = now;
        options.write(`\r\x1b[2K${barLine(label, doneBytes, totalBytes, rate)}`);
        barOpen = true;
        return;
      }
      const tenth = totalBytes ? Math.floor((10 * doneBytes) / totalBytes) : -1;
      if (tenth <= tenths) return;
      tenths = tenth;
      options.write(`  ${label} ${tenth * 10}% of ${bytesText(totalBytes!)}\n`);
    },
    end() {
      closeBar();
      began = undefined;
    },
  };
}

/** Bytes for people: `98.4 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

function barLine(label: string, done: number, total: number | undefined, rate: number): string {
  const speed = rate > 0 ? ` ${bytesText(rate)}/s` : "";
  if (!total) return `  ${label} ${bytesText(done)}${speed}`;
  const share = Math.min(1, done / total);
  const full = Math.round(share * 30);
  const bar = "█".repeat(full) + "░".repeat(30 - full);
  return `  ${label} ${bar} ${Math.floor(share * 100)}% of ${bytesText(total)}${speed}`;
}
