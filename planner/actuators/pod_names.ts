import { decodeRecord, keys } from "@pixii/wire";
import type { Log, Registry } from "@pixii/runtime";

/** In which pod each instance runs: a pod's host name is its own name. */
export class PodNames {
  readonly #hosts = new Map<string, string>();

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
    });
  }

  /** The pod of an instance, where that is known. */
  of(instance: string): string | undefined {
    return this.#hosts.get(instance);
  }
}
