import { BoundedMap } from "./bounded_map.ts";

/** Tenants remembered; over this the longest unused go, and count as new. */
const mostTenants = 65_536;

/**
 * Tokens that each tenant was served, and whose turn it is: the one with the fewest among those that wait. One that
 * begins to wait is lifted to the fewest of the others, so that nobody saves turns up while idle (virtual token
 * counters: Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024).
 */
export class TenantCounters {
  readonly #counters = new BoundedMap<string, number>(mostTenants);
  #lastLeft = 0;

  /** Tokens a tenant was served, lifts included. */
  of(tenant: string): number {
    return this.#counters.get(tenant) ?? 0;
  }

  /** A tenant was served so many weighted tokens. */
  charge(tenant: string, tokens: number): void {
    this.#counters.set(tenant, this.of(tenant) + tokens);
  }

  /** A tenant begins to wait beside the others that do. */
  joined(tenant: string, others: Iterable<string>): void {
    let least = Infinity;
    for (const other of others) least = Math.min(least, this.of(other));
    const floor = least === Infinity ? this.#lastLeft : least;
    if (this.of(tenant) < floor) this.#counters.set(tenant, floor);
  }

  /** A tenant has nothing waiting any more. */
  left(tenant: string): void {
    this.#lastLeft = this.of(tenant);
  }
}
