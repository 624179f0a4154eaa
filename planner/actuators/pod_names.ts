import { decodeRecord, keys } from "@pixii/wire";
import type { Log, Registry } from "@pixii/runtime";

/** In which pod each instance runs: a pod's host name is its own name. */
export class PodNames implements Disposable {
  readonly #hosts = new Map<string, string>();
  readonly #open = new DisposableStack();

  /** Follows the registry; where it refuses, no name is known. */
  constructor(
    options: { readonly registry: Registry; readonly namespace: string; readonly log: Log },
  ) {
    const { registry, namespace, log } = options;
    const put = (key: string, value: string) => {
      const record = decodeRecord("instance", value);
      if (record.ok) this.#hosts.set(key.split("/").at(-1)!, record.value.host);
    };
    void registry.watch(`${keys(namespace).instances}worker/`, {
      snapshot: (entries) => {
        this.#hosts.clear();
        for (const { key, value } of entries) put(key, value);
      },
      change: (change) => {
        if (change.kind === "put") put(change.entry.key, change.entry.value);
        else this.#hosts.delete(change.key.split("/").at(-1)!);
      },
    }).then((watched) => {
      if (!watched.ok) log.warn("names of pods are not known", { reason: watched.error.message });
      else if (this.#open.disposed) watched.value[Symbol.dispose]();
      else this.#open.use(watched.value);
    });
  }

  /** The pod of an instance, where that is known. */
  of(instance: string): string | undefined {
    return this.#hosts.get(instance);
  }

  /** All pods that workers run in, each once. */
  all(): readonly string[] {
    return [...new Set(this.#hosts.values())];
  }

  [Symbol.dispose](): void {
    this.#open.dispose();
  }
}
