import { ChurnMap, hexOfU64, streamKeyOf, streamKeyText, workerRankText } from "@pixii/wire";
import type { InstanceId, LedgerEntry, LoadReport, ModelHash, StreamKey } from "@pixii/wire";
import { bookingOf } from "./booking.ts";
import type { Booking, Claim } from "./booking.ts";
import { BoundedMap } from "./bounded_map.ts";
import { RankLoad } from "./rank_load.ts";

/** Stands for the model of an entry whose booking does not know it; no ledger reads it. */
const noModel = "0000000000000000" as ModelHash;

/** Times and bounds of a ledger. */
export const ledgerLimits = {
  /** A decision that its frontend does not book within this is dropped: the answer was lost. */
  confirmMs: 5_000,
  /** A frontend that left the registry keeps its bookings this long: it may come back. */
  frontendGraceMs: 3_000,
  /** Live bookings; over this the oldest go. */
  bookings: 262_144,
  /** Streams remembered that ended, or had their first token, without a booking. */
  facts: 65_536,
  /** Of those, the youngest are told to a router that starts. */
  toldFacts: 4_096,
} as const;

/** What became of an entry. */
export type EntryResult = "applied" | "known" | "late";

/** Bookings dropped by `sweep`, by cause. */
export interface SweptBookings {
  readonly unconfirmed: number;
  readonly orphaned: number;
}

/**
 * All streams booked at all ranks. Entries are idempotent by stream key and may come in any order: what counts in the
 * end depends only on which entries came. Pure: time is an argument.
 */
export class Ledger {
  readonly #bookings = new ChurnMap<string, Booking>();
  readonly #loads = new Map<string, RankLoad>();
  /** Ranks that are followed; others have a load only while something is booked there. */
  readonly #open = new Set<string>();
  /** What is known of streams without a booking, so that a late one is right. */
  readonly #facts = new BoundedMap<string, "first-token" | "complete">(ledgerLimits.facts);
  readonly #unconfirmed = new ChurnMap<string, Booking>();
  readonly #present = new Set<InstanceId>();
  readonly #absentMs = new Map<InstanceId, number>();
  readonly #byFrontend = new Map<InstanceId, ChurnMap<string, Booking>>();

  /** Live bookings. */
  get size(): number {
    return this.#bookings.size;
  }

  /** Bookings that no frontend has confirmed yet. */
  get unconfirmed(): number {
    return this.#unconfirmed.size;
  }

  /** Follows a rank. Its load is the same object until `closeRank`. */
  openRank(rank: string): RankLoad {
    this.#open.add(rank);
    return this.#load(rank);
  }

  /** A rank is gone: its bookings end. */
  closeRank(rank: string): void {
    this.#open.delete(rank);
    for (const booking of [...this.#bookings.values()]) {
      if (workerRankText(booking.claim.worker) === rank) this.#release(booking);
    }
    this.#loads.delete(rank);
  }

  /** What is booked at a rank; nothing where it is neither followed nor booked. */
  loadOf(rank: string): RankLoad | undefined {
    return this.#loads.get(rank);
  }

  /** Books this router's own decision; its frontend confirms it with a `book` of the same key. */
  decide(key: StreamKey, claim: Claim, nowMs: number): void {
    const text = streamKeyText(key);
    if (this.#facts.get(text) === "complete") return;
    const known = this.#bookings.get(text);
    if (known?.isConfirmed) return;
    if (known !== undefined) this.#release(known);
    this.#book(bookingOf(key, claim, { nowMs, isConfirmed: false }), nowMs);
  }

  /** Applies an entry. */
  apply(entry: LedgerEntry, nowMs: number): EntryResult {
    const text = streamKeyText(entry);
    const booking = this.#bookings.get(text);
    if (entry.op === "book") return this.#confirm(entry, booking, nowMs);
    if (entry.op === "complete") {
      if (this.#facts.get(text) === "complete") return "known";
      this.#facts.set(text, "complete");
      if (booking !== undefined) this.#release(booking);
      return "applied";
    }
    if (booking !== undefined) {
      if (booking.hasFirstToken) return "known";
      this.#load(workerRankText(booking.claim.worker)).firstToken(booking, nowMs);
      return "applied";
    }
    if (this.#facts.get(text) !== undefined) return "known";
    this.#facts.set(text, "first-token");
    return "applied";
  }

  /** The frontend is in the registry. */
  frontendCame(frontend: InstanceId): void {
    this.#present.add(frontend);
    this.#absentMs.delete(frontend);
  }

  /** True where the frontend is in the registry as far as is known. */
  isPresent(frontend: InstanceId): boolean {
    return this.#present.has(frontend);
  }

  /** The frontend left the registry. */
  frontendLeft(frontend: InstanceId, nowMs: number): void {
    this.#present.delete(frontend);
    if (this.#byFrontend.has(frontend)) this.#absentMs.set(frontend, nowMs);
  }

  /** All frontends in the registry: any other has left. */
  frontendsAre(frontends: ReadonlySet<InstanceId>, nowMs: number): void {
    for (const known of [...this.#present]) {
      if (!frontends.has(known)) this.frontendLeft(known, nowMs);
    }
    for (const frontend of frontends) this.frontendCame(frontend);
  }

  /** Drops decisions nobody confirmed and bookings of frontends that are gone. */
  sweep(nowMs: number): SweptBookings {
    let unconfirmed = 0;
    for (const booking of [...this.#unconfirmed.values()]) {
      if (nowMs - booking.bookedMs < ledgerLimits.confirmMs) break;
      this.#release(booking);
      unconfirmed += 1;
    }
    let orphaned = 0;
    for (const [frontend, sinceMs] of [...this.#absentMs]) {
      const bookings = this.#byFrontend.get(frontend);
      if (bookings !== undefined && nowMs - sinceMs < ledgerLimits.frontendGraceMs) continue;
      for (const booking of [...bookings?.values() ?? []]) {
        this.#release(booking);
        orphaned += 1;
      }
      this.#absentMs.delete(frontend);
    }
    return { unconfirmed, orphaned };
  }

  /**
   * What every router knows: confirmed bookings and the youngest facts of streams without one, as the entries that make
   * them again. A router's own decisions that nobody confirmed are not among them. A booking does not know its model.
   */
  *entries(): Iterable<LedgerEntry> {
    for (const { text, claim, isConfirmed, hasFirstToken } of this.#bookings.values()) {
      if (!isConfirmed) continue;
      yield { op: "book", ...streamKeyOf(text), model: noModel, ...claim };
      if (hasFirstToken) yield { op: "first-token", ...streamKeyOf(text) };
    }
    const facts = [...this.#facts].slice(-ledgerLimits.toldFacts);
    for (const [text, op] of facts) yield { op, ...streamKeyOf(text) };
  }

  /** A digest of all confirmed bookings, 16 hex digits: equal for routers that are in step. O(bookings). */
  digest(): string {
    let [hi, lo] = [0, 0];
    for (const { hashHi, hashLo, isConfirmed, hasFirstToken } of this.#bookings.values()) {
      if (!isConfirmed) continue;
      const turn = hasFirstToken ? 1 : 0;
      hi ^= hashHi + turn;
      lo ^= hashLo + turn;
    }
    return hexOfU64(hi, lo);
  }

  /** Takes a load report in; returns how many bookings it proved lost. */
  reported(report: LoadReport, nowMs: number): number {
    const rank = workerRankText({ instance: report.instance, dpRank: report.dpRank });
    const lost = this.#loads.get(rank)?.reported(report, nowMs) ?? [];
    for (const booking of lost) this.#release(booking);
    return lost.length;
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    let atRanks = 0;
    for (const load of this.#loads.values()) {
      load.checkIntegrity();
      atRanks += load.bookings;
    }
    let ofFrontends = 0;
    for (const [frontend, bookings] of this.#byFrontend) {
      ofFrontends += bookings.size;
      if (!this.#present.has(frontend) && !this.#absentMs.has(frontend)) {
        throw new Error(`nobody watches frontend ${frontend}`);
      }
    }
    if (atRanks !== this.size || ofFrontends !== this.size) {
      throw new Error(`${this.size} bookings, ${atRanks} at ranks, ${ofFrontends} of frontends`);
    }
    for (const booking of this.#unconfirmed.values()) {
      if (this.#bookings.get(booking.text) !== booking || booking.isConfirmed) {
        throw new Error("a booking waits for a confirmation it does not need");
      }
    }
  }

  #confirm(
    entry: LedgerEntry & { readonly op: "book" },
    known: Booking | undefined,
    nowMs: number,
  ): EntryResult {
    const text = streamKeyText(entry);
    if (this.#facts.get(text) === "complete") return "late";
    if (known?.isConfirmed) return "known";
    const { worker, frontend, prefillTokens, blocks } = entry;
    const claim = { worker, frontend, prefillTokens, blocks };
    if (known !== undefined && isSameClaim(known.claim, claim)) {
      known.isConfirmed = true;
      this.#unconfirmed.delete(text);
      return "applied";
    }
    // The frontend knows best: after a lost answer it may have placed the stream elsewhere.
    const booking = bookingOf(entry, claim, { nowMs, isConfirmed: true });
    booking.hasFirstToken = known?.hasFirstToken ?? this.#facts.get(text) === "first-token";
    if (known !== undefined) this.#release(known);
    this.#book(booking, nowMs);
    return "applied";
  }

  #book(booking: Booking, nowMs: number): void {
    if (this.#bookings.size >= ledgerLimits.bookings) {
      for (const oldest of this.#bookings.values()) {
        this.#release(oldest);
        break;
      }
    }
    if (this.#facts.get(booking.text) === "first-token") booking.hasFirstToken = true;
    this.#facts.delete(booking.text);
    this.#bookings.set(booking.text, booking);
    if (!booking.isConfirmed) this.#unconfirmed.set(booking.text, booking);
    const { worker, frontend } = booking.claim;
    this.#load(workerRankText(worker)).add(booking);
    let own = this.#byFrontend.get(frontend);
    if (own === undefined) {
      this.#byFrontend.set(frontend, own = new ChurnMap());
      if (!this.#present.has(frontend) && !this.#absentMs.has(frontend)) {
        this.#absentMs.set(frontend, nowMs);
      }
    }
    own.set(booking.text, booking);
  }

  #release(booking: Booking): void {
    if (!this.#bookings.delete(booking.text)) return;
    this.#unconfirmed.delete(booking.text);
    const { worker, frontend } = booking.claim;
    const rank = workerRankText(worker);
    const load = this.#load(rank);
    load.remove(booking);
    if (load.bookings === 0 && !this.#open.has(rank)) this.#loads.delete(rank);
    const own = this.#byFrontend.get(frontend);
    own?.delete(booking.text);
    if (own?.size === 0) this.#byFrontend.delete(frontend);
  }

  #load(rank: string): RankLoad {
    let load = this.#loads.get(rank);
    if (load === undefined) this.#loads.set(rank, load = new RankLoad());
    return load;
  }
}

function isSameClaim(a: Claim, b: Claim): boolean {
  return a.worker.instance === b.worker.instance && a.worker.dpRank === b.worker.dpRank &&
    a.frontend === b.frontend && a.prefillTokens === b.prefillTokens && a.blocks === b.blocks;
}
