import { ChurnMap } from "@pixii/wire";

/** Most blocks that all leases together wait for. */
export const mostWaiting = 65_536;

/** A place in a lease that waits for a block. */
export interface Waiter {
  readonly client: number;
  readonly lease: number;
  /** Place of the block in the question. */
  readonly position: number;
  /** True where it waits for whoever commits the block; else for what a source brings. */
  readonly awaits: boolean;
}

/** A block of a pool's layout. */
export interface WaitedBlock {
  /** Index of the layout. */
  readonly layout: number;
  readonly hi: number;
  readonly lo: number;
}

/** Who waits for which block under which lease. Every operation is O(places it touches). */
export class WaitingLeases {
  readonly #byBlock = new ChurnMap<string, Waiter[]>();
  /** Per client and lease: the block of each position that waits. */
  readonly #byClient = new ChurnMap<number, ChurnMap<number, Map<number, string>>>();
  #count = 0;

  /** Places that wait. */
  get count(): number {
    return this.#count;
  }

  /** A place waits from now on; false where too many do. */
  add(block: WaitedBlock, waiter: Waiter): boolean {
    if (this.#count >= mostWaiting) return false;
    const key = keyOf(block);
    const { client, lease, position } = waiter;
    let leases = this.#byClient.get(client);
    if (leases === undefined) this.#byClient.set(client, leases = new ChurnMap());
    let places = leases.get(lease);
    if (places === undefined) leases.set(lease, places = new Map());
    if (places.has(position)) throw new Error(`place ${position} of lease ${lease} waits already`);
    places.set(position, key);
    const waiters = this.#byBlock.get(key);
    if (waiters === undefined) this.#byBlock.set(key, [waiter]);
    else waiters.push(waiter);
    this.#count += 1;
    return true;
  }

  /** True where somebody waits for a block. */
  isWanted(block: WaitedBlock): boolean {
    return this.#byBlock.has(keyOf(block));
  }

  /** Who waited for a block that is there now, in the order they came; they wait no more. */
  landed(block: WaitedBlock): readonly Waiter[] {
    const key = keyOf(block);
    const waiters = this.#byBlock.get(key) ?? [];
    for (const waiter of waiters) this.#forget(waiter);
    this.#byBlock.delete(key);
    return waiters;
  }

  /** Who waited for a source that does not bring the block; who awaits it goes on waiting. */
  lost(block: WaitedBlock): readonly Waiter[] {
    const key = keyOf(block);
    const waiters = this.#byBlock.get(key) ?? [];
    const told = waiters.filter(({ awaits }) => !awaits);
    for (const waiter of told) this.#forget(waiter);
    const left = waiters.filter(({ awaits }) => awaits);
    if (left.length === 0) this.#byBlock.delete(key);
    else this.#byBlock.set(key, left);
    return told;
  }

  /** Places of a lease wait no more; answers those that did. */
  giveUp(client: number, lease: number, positions: readonly number[]): number[] {
    const places = this.#byClient.get(client)?.get(lease);
    const given = positions.filter((position) => places?.has(position));
    for (const position of given) {
      const key = places!.get(position)!;
      const waiters = this.#byBlock.get(key)!;
      const own = waiters.findIndex((one) =>
        one.client === client && one.lease === lease && one.position === position
      );
      const [waiter] = waiters.splice(own, 1);
      if (waiters.length === 0) this.#byBlock.delete(key);
      this.#forget(waiter);
    }
    return given;
  }

  /** A lease is over; an unknown one is passed over. */
  release(client: number, lease: number): void {
    const leases = this.#byClient.get(client);
    const places = leases?.get(lease);
    if (leases === undefined || places === undefined) return;
    for (const [position, key] of places) {
      const left = this.#byBlock.get(key)!.filter((waiter) =>
        waiter.client !== client || waiter.lease !== lease || waiter.position !== position
      );
      if (left.length === 0) this.#byBlock.delete(key);
      else this.#byBlock.set(key, left);
      this.#count -= 1;
    }
    leases.delete(lease);
    if (leases.size === 0) this.#byClient.delete(client);
  }

  /** A client is gone with all its leases. */
  leave(client: number): void {
    const leases = this.#byClient.get(client);
    if (leases === undefined) return;
    for (const lease of [...leases.keys()]) this.release(client, lease);
  }

  /** Throws where the two sides differ. O(everything). */
  checkIntegrity(): void {
    let waiting = 0;
    for (const key of this.#byBlock.keys()) {
      const waiters = this.#byBlock.get(key)!;
      if (waiters.length === 0) throw new Error(`nobody waits for ${key} and it is listed`);
      for (const { client, lease, position } of waiters) {
        if (this.#byClient.get(client)?.get(lease)?.get(position) !== key) {
          throw new Error(`place ${position} of lease ${lease} does not know that it waits`);
        }
        waiting += 1;
      }
    }
    let places = 0;
    for (const client of this.#byClient.keys()) {
      const leases = this.#byClient.get(client)!;
      if (leases.size === 0) throw new Error(`client ${client} has no lease and is listed`);
      for (const lease of leases.keys()) places += leases.get(lease)!.size;
    }
    if (waiting !== this.#count || places !== this.#count) {
      throw new Error(`${waiting} wait, ${places} are listed, ${this.#count} counted`);
    }
  }

  #forget({ client, lease, position }: Waiter): void {
    const leases = this.#byClient.get(client)!;
    const places = leases.get(lease)!;
    places.delete(position);
    this.#count -= 1;
    if (places.size > 0) return;
    leases.delete(lease);
    if (leases.size === 0) this.#byClient.delete(client);
  }
}

function keyOf({ layout, hi, lo }: WaitedBlock): string {
  return `${layout}.${hi}.${lo}`;
}
