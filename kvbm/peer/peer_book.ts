import { decodeRecord, keys } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import type { Log, Registry } from "@pixii/runtime";

/** Where the block managers that the registry lists give blocks. */
export class PeerBook implements Disposable {
  readonly #own: InstanceId;
  readonly #byKey = new Map<string, { readonly kvbm: InstanceId; readonly data: string }>();
  #watched: Disposable | undefined;

  private constructor(own: InstanceId) {
    this.#own = own;
  }

  /** Follows the registry; one that does not answer yet lists none until it does. `onChange`: one came, went or moved. */
  static async open(
    registry: Registry,
    options: {
      readonly namespace: string;
      readonly own: InstanceId;
      readonly log: Log;
      readonly onChange: (kvbm: InstanceId) => void;
    },
  ): Promise<PeerBook> {
    const { namespace, own, log, onChange } = options;
    const book = new PeerBook(own);
    const watched = await registry.watch(keys(namespace).kvbms, {
      snapshot: (entries) => {
        const before = [...book.#byKey.values()];
        book.#byKey.clear();
        for (const { key, value } of entries) book.#put(key, value);
        for (const { kvbm, data } of before) if (book.addressOf(kvbm) !== data) onChange(kvbm);
      },
      change: (change) => {
        const key = change.kind === "put" ? change.entry.key : change.key;
        const known = book.#byKey.get(key);
        book.#byKey.delete(key);
        if (change.kind === "put") book.#put(key, change.entry.value);
        if (known !== undefined && book.#byKey.get(key)?.data !== known.data) onChange(known.kvbm);
      },
    });
    if (watched.ok) book.#watched = watched.value;
    else log.warn("no blocks from peers", { reason: watched.error.message });
    return book;
  }

  /** `HOST:PORT` of a block manager that gives blocks; never the own one. O(block managers). */
  addressOf(kvbm: InstanceId): string | undefined {
    for (const one of this.#byKey.values()) if (one.kvbm === kvbm) return one.data;
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#watched?.[Symbol.dispose]();
  }

  #put(key: string, value: string): void {
    const card = decodeRecord("kvbm", value);
    if (!card.ok || card.value.data === undefined || card.value.instance === this.#own) return;
    this.#byKey.set(key, { kvbm: card.value.instance, data: card.value.data });
  }
}
