import { encodeLedgerBatch, limits } from "@pixii/wire";
import type { InstanceId, LedgerEntry } from "@pixii/wire";
import type { Bus, Clock } from "@pixii/runtime";
import type { GenerationMetrics } from "./generation_metrics.ts";

/** Entries kept while the bus is away; above that the oldest go, and routers correct themselves by load reports. */
const mostPending = 16_384;

/** Publishes ledger entries in order, in batches of at most 256 or 1 ms. Entries wait out an outage: they are idempotent. */
export class LedgerWriter implements Disposable {
  readonly #options: {
    readonly bus: Bus;
    readonly clock: Clock;
    readonly subject: string;
    readonly from: InstanceId;
    readonly metrics: GenerationMetrics;
  };
  #pending: LedgerEntry[] = [];
  #timer: Disposable | undefined;

  constructor(
    options: {
      bus: Bus;
      clock: Clock;
      subject: string;
      from: InstanceId;
      metrics: GenerationMetrics;
    },
  ) {
    this.#options = options;
  }

  /** Takes an entry for the next batch. */
  add(entry: LedgerEntry): void {
    this.#pending.push(entry);
    if (this.#pending.length > mostPending) {
      this.#pending.shift();
      this.#options.metrics.ledgerLost.add();
    }
    if (this.#pending.length === limits.ledgerEntries) this.flush();
    else this.#timer ??= this.#options.clock.timer(limits.ledgerBatchMs, () => this.flush());
  }

  /** Publishes everything now; what the bus refuses stays for the next flush. */
  flush(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const { bus, subject, from } = this.#options;
    while (this.#pending.length > 0) {
      const entries = this.#pending.slice(0, limits.ledgerEntries);
      if (!bus.publish(subject, encodeLedgerBatch({ from, entries }), { isPatient: true }).ok) {
        return;
      }
      this.#pending = this.#pending.slice(entries.length);
    }
  }

  /** Publishes what is left. */
  [Symbol.dispose](): void {
    this.flush();
  }
}
