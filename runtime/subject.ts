import type { Subscription } from "./bus.ts";

/** Longest subject, in characters. */
export const maxSubjectLength = 256;

const token = "[A-Za-z0-9_$-]+";
const plainRule = new RegExp(`^${token}(\\.${token})*$`);
const patternRule = new RegExp(`^${token}(\\.${token})*(\\.\\*)?$`);

/** True where `subject` can be published to: tokens of `A-Z a-z 0-9 _ $ -` between dots. */
export function isSubject(subject: string): boolean {
  return subject.length <= maxSubjectLength && plainRule.test(subject);
}

/** True where `subject` can be subscribed to: a subject, or one whose last token is `*`. */
export function isPattern(subject: string): boolean {
  return subject.length <= maxSubjectLength && patternRule.test(subject);
}

/** Throws unless `subject` can be published to; a wrong one is a bug of the caller. */
export function checkSubject(subject: string): void {
  if (isSubject(subject)) return;
  throw new TypeError(`Cannot send to ${JSON.stringify(subject)}: it is not a subject`);
}

/** Throws unless `subject` can be subscribed to; a wrong one is a bug of the caller. */
export function checkPattern(subject: string): void {
  if (isPattern(subject)) return;
  throw new TypeError(`Cannot subscribe to ${JSON.stringify(subject)}: it is not a subject`);
}

/** Values filed under subjects and patterns; finding all that match one subject costs two look-ups. */
export class SubjectTable<T> {
  readonly #exact = new Map<string, T[]>();
  /** Patterns by what stands before their `*`. */
  readonly #wild = new Map<string, T[]>();

  /** Files `value` under `pattern`. */
  add(pattern: string, value: T): void {
    const [map, key] = this.#place(pattern);
    const found = map.get(key);
    if (found === undefined) map.set(key, [value]);
    // A new array, so that a caller may go on walking the one it found.
    else map.set(key, [...found, value]);
  }

  /** Takes `value` out again; one that is not there is no error. */
  remove(pattern: string, value: T): void {
    const [map, key] = this.#place(pattern);
    const left = (map.get(key) ?? []).filter((one) => one !== value);
    if (left.length === 0) map.delete(key);
    else map.set(key, left);
  }

  /** All values whose pattern matches `subject`, the exact ones first, each kind in the order of `add`. */
  match(subject: string): readonly T[] {
    const exact = this.#exact.get(subject);
    const wild = this.#wild.get(subject.slice(0, subject.lastIndexOf(".") + 1));
    if (wild === undefined) return exact ?? [];
    return exact === undefined ? wild : [...exact, ...wild];
  }

  #place(pattern: string): [Map<string, T[]>, string] {
    return pattern.endsWith(".*") ? [this.#wild, pattern.slice(0, -1)] : [this.#exact, pattern];
  }
}

/** A subscription that runs `end` once, when it is first disposed. */
export function subscriptionOf(subject: string, end: () => void): Subscription {
  let live = true;
  return {
    subject,
    [Symbol.dispose]: () => {
      if (!live) return;
      live = false;
      end();
    },
  };
}
