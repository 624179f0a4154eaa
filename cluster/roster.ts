import type { Log, Registry } from "@pixii/runtime";
import {
  decodeRecord,
  fail,
  type InstanceRecord,
  keys,
  type ModelCard,
  ok,
  type Result,
} from "@pixii/wire";

/** Who is there: the running programs and the model cards of one namespace, kept current by the registry. */
export class Roster implements Disposable {
  readonly instances = new Map<string, InstanceRecord>();
  /** By key; one worker's card of one model each. */
  readonly cards = new Map<string, ModelCard>();
  readonly #watches: Disposable[] = [];
  readonly #listeners = new Set<() => void>();

  private constructor() {}

  /** Starts watching; fails where the registry does. */
  static async open(registry: Registry, namespace: string, log: Log): Promise<Result<Roster>> {
    const roster = new Roster();
    const names = keys(namespace);
    const watches = [
      await roster.#watch(registry, names.instances, "instance", roster.instances, log),
      await roster.#watch(registry, names.models, "model", roster.cards, log),
    ];
    for (const watch of watches) if (watch.ok) roster.#watches.push(watch.value);
    const failed = watches.find((watch) => !watch.ok);
    if (failed === undefined) return ok(roster);
    roster[Symbol.dispose]();
    return failed.ok ? fail("internal", "unreachable") : failed;
  }

  /** Calls `listener` after every change until disposed. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Instances that serve a model. */
  servers(name: string): readonly ModelCard[] {
    return [...this.cards.values()].filter((card) => card.name === name);
  }

  /** The card of one worker. */
  cardOf(instance: string): ModelCard | undefined {
    for (const card of this.cards.values()) if (card.instance === instance) return card;
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches.splice(0)) watch[Symbol.dispose]();
    this.#listeners.clear();
  }

  async #watch<Name extends "instance" | "model">(
    registry: Registry,
    prefix: string,
    kind: Name,
    into: Map<string, Name extends "instance" ? InstanceRecord : ModelCard>,
    log: Log,
  ): Promise<Result<Disposable>> {
    const put = (key: string, text: string) => {
      const record = decodeRecord(kind, text);
      // Instances go by their id, cards by their key.
      if (!record.ok) return log.warn("unreadable record", { key, reason: record.error.message });
      const id = kind === "instance" ? record.value.instance : key;
      into.set(id, record.value as Name extends "instance" ? InstanceRecord : ModelCard);
    };
    return await registry.watch(prefix, {
      snapshot: (entries) => {
        into.clear();
        for (const entry of entries) put(entry.key, entry.value);
        this.#tell();
      },
      change: (change) => {
        if (change.kind === "put") put(change.entry.key, change.entry.value);
        else into.delete(kind === "instance" ? change.key.split("/").at(-1)! : change.key);
        this.#tell();
      },
    });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
