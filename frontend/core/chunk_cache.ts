/** Tokens of one text. */
interface Entry {
  readonly text: string;
  readonly ids: Uint32Array;
  readonly bytes: number;
}

/** Counted for an entry beside its text and ids. */
const entryBytes = 256;
/** Fingerprints of texts that were asked for, a power of two. */
const seenTexts = 32 * 1024;

/**
 * Tokens of texts seen before. Two generations: what is used moves to the young one, and when that holds half the
 * budget, the old one is forgotten. So what was used within half the budget's worth of new texts is still there.
 */
export class ChunkCache {
  readonly #budgetBytes: number;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #seen = new Uint32Array(seenTexts);
  #young = new Map<string, Entry>();
  #old = new Map<string, Entry>();
  #youngBytes = 0;
  #oldBytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** What all entries take, at most the budget. */
  get bytes(): number {
    return this.#youngBytes + this.#oldBytes;
  }

  /** Ids kept for a text. O(length), mostly one hash and one comparison of it. */
  get(text: string): Uint32Array | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young.ids;
    const old = this.#old.get(text);
    if (old === undefined) return undefined;
    this.#old.delete(old.text);
    this.#oldBytes -= old.bytes;
    this.#add(old);
    return old.ids;
  }

  /** True where a text of this fingerprint came before, among the last some ten thousand; it has come now. */
  wasSeen(fingerprint: number): boolean {
    const place = fingerprint & seenTexts - 1;
    const isSeen = this.#seen[place] === fingerprint;
    this.#seen[place] = fingerprint;
    return isSeen;
  }

  /** Keeps the ids of a text that is not kept yet. */
  set(text: string, ids: Uint32Array): void {
    const utf8 = this.#encoder.encode(text);
    // A text cut out of another one would keep that whole one alive; a decoded one stands alone.
    const own = this.#decoder.decode(utf8);
    const unitBytes = utf8.length === text.length ? 1 : 2;
    this.#add({
      text: own,
      ids,
      bytes: unitBytes * text.length + ids.byteLength + entryBytes,
    });
  }

  /** What is wrong with the counts, in words; empty where all is well. */
  checkIntegrity(): readonly string[] {
    const sum = (map: ReadonlyMap<string, Entry>) =>
      [...map.values()].reduce((total, { bytes }) => total + bytes, 0);
    const problems: string[] = [];
    if (sum(this.#young) !== this.#youngBytes) problems.push("the young bytes are miscounted");
    if (sum(this.#old) !== this.#oldBytes) problems.push("the old bytes are miscounted");
    if (this.bytes > this.#budgetBytes) problems.push("over the budget");
    return problems;
  }

  #add(entry: Entry): void {
    const half = this.#budgetBytes / 2;
    if (entry.bytes > half) return;
    if (this.#youngBytes + entry.bytes > half) {
      this.#old = this.#young;
      this.#oldBytes = this.#youngBytes;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    const replaced = this.#young.get(entry.text);
    this.#youngBytes += entry.bytes - (replaced?.bytes ?? 0);
    this.#young.set(entry.text, entry);
  }
}
