import { ChurnMap } from "@pixii/wire";

/** What has to end with a client's lease. Every operation is O(what it ends). */
export class LeaseWatches {
  readonly #byClient = new ChurnMap<number, ChurnMap<number, Disposable>>();

  /** This ends with the lease; what was there of the same number ends now. */
  put(client: number, lease: number, watch: Disposable): void {
    this.end(client, lease);
    let leases = this.#byClient.get(client);
    if (leases === undefined) this.#byClient.set(client, leases = new ChurnMap());
    leases.set(lease, watch);
  }

  /** A lease is over; one without a watch is passed over. */
  end(client: number, lease: number): void {
    const leases = this.#byClient.get(client);
    const watch = leases?.get(lease);
    if (leases === undefined || watch === undefined) return;
    leases.delete(lease);
    if (leases.size === 0) this.#byClient.delete(client);
    watch[Symbol.dispose]();
  }

  /** A client is gone with all its leases. */
  leave(client: number): void {
    for (const lease of [...this.#byClient.get(client)?.keys() ?? []]) this.end(client, lease);
  }

  /** All is over. */
  clear(): void {
    for (const client of [...this.#byClient.keys()]) this.leave(client);
  }
}
