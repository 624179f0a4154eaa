import type { Log, LogFields, VirtualClock } from "@pixii/runtime";

/** Levels that are kept: `trace` and `debug` would be most of the lines and none of the story. */
const keptLevels = ["info", "warn", "error"] as const;
/** Lines kept to be shown when a run fails. */
const mostRecent = 40;

/**
 * Everything that happens in a simulated run, in order: two runs are the same when their logs are. Every line and every
 * message goes into a digest; lines are kept only for who wants them.
 */
export class SimLog {
  readonly #clock: VirtualClock;
  readonly #write: ((line: string) => void) | undefined;
  readonly #recent: string[] = [];
  readonly #time = new Float64Array(1);
  readonly #timeWords = new Uint32Array(this.#time.buffer);
  #hi = 0x243f6a88;
  #lo = 0x9e3779b9;
  #messages = 0;

  /** `write` gets every line, messages included; without it messages make no text. */
  constructor(clock: VirtualClock, write?: (line: string) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  /** Digest of everything so far, 16 hex digits. */
  get digest(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.#hi) + hex(this.#lo);
  }

  /** Messages that were sent to somebody. */
  get messages(): number {
    return this.#messages;
  }

  /** The last lines, messages left out where nobody writes them. */
  get recent(): readonly string[] {
    return this.#recent;
  }

  /** Something happened. */
  line(text: string): void {
    this.#mixTime();
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    const line = `${this.#clock.nowMs().toFixed(3)} ${text}`;
    this.#recent.push(line);
    if (this.#recent.length > mostRecent) this.#recent.shift();
    this.#write?.(line);
  }

  /** A message of a link is carried: it arrives after `waitMs`, or never where that is undefined. */
  message(link: SimLink, subject: string, payload: Uint8Array, waitMs: number | undefined): void {
    this.#messages += 1;
    this.#mixTime();
    this.#mix(link.id);
    this.#mix(payload.byteLength);
    // A few bytes of every message: enough to tell two runs apart, and cheap.
    const { length } = payload;
    for (let at = length - 1, i = 0; at >= 0 && i < 4; i++, at -= 1 + (length >> 2)) {
      this.#mix(payload[at]);
    }
    this.#mix(waitMs === undefined ? 0 : Math.round(waitMs * 1000) + 1);
    if (this.#write === undefined) return;
    const time = this.#clock.nowMs().toFixed(3);
    const fate = waitMs === undefined ? "lost" : `+${waitMs.toFixed(3)}`;
    this.#write(`${time} ${link.name} ${subject} ${length} ${fate} ${this.digest}`);
  }

  /** A service's log: `onError` is told of lines that services write only where something is wrong with them. */
  of(target: string, isLive: () => boolean, onError: (line: string) => void): Log {
    const at = (level: string) => (message: string, fields: LogFields = {}) => {
      if (!isLive()) return;
      const text = `${target} ${level}: ${message} ${fieldsText(fields)}`;
      this.line(text);
      if (level === "error") onError(text);
    };
    const [info, warn, error] = keptLevels.map(at);
    const nothing = () => {};
    return {
      ...{ trace: nothing, debug: nothing, info, warn, error },
      child: (name) => this.of(`${target}::${name}`, isLive, onError),
    };
  }

  #mixTime(): void {
    this.#time[0] = this.#clock.nowMs();
    this.#mix(this.#timeWords[0]);
    this.#mix(this.#timeWords[1]);
  }

  #mix(word: number): void {
    this.#lo = Math.imul(this.#lo ^ word, 0x85ebca6b);
    this.#lo ^= this.#lo >>> 13;
    this.#hi = (Math.imul(this.#hi, 0xc2b2ae35) + this.#lo) | 0;
    this.#hi ^= this.#hi >>> 16;
  }
}

/** One direction between two programs, as the log names it. */
export interface SimLink {
  readonly id: number;
  readonly name: string;
}

function fieldsText(fields: LogFields): string {
  return JSON.stringify(fields, (_, value) => value instanceof Error ? value.message : value);
}
