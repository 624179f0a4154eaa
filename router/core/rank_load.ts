import { ChurnMap } from "@pixii/wire";
import type { LoadReport } from "@pixii/wire";
import type { Booking } from "./booking.ts";
import { PrefillLine } from "./prefill_line.ts";
import type { TtftTimes } from "./ttft_times.ts";

/** Times and bounds of the correction by load reports. */
export const driftLimits = {
  /** Younger bookings may not have reached the worker yet. */
  youngMs: 2_000,
  /** Reports in a row, and the time they span, that must tell of too many bookings before some are dropped. */
  reports: 8,
  spanMs: 2_000,
  /** Reports in a row that must tell of a stream nobody booked before it counts. */
  unknownReports: 3,
} as const;

/** What is booked at one worker rank, and what its reports tell beyond that. */
export class RankLoad {
  readonly #bookings = new ChurnMap<string, Booking>();
  readonly #line = new PrefillLine();
  #aheadMs = 0;
  #busyShare = 0;
  #recent = 0;
  #prefillRate = 0;
  #prefillTokens = 0;
  #blocks = 0;
  #digestHi = 0;
  #digestLo = 0;
  /** The last reports' surplus over the bookings. */
  #surplus: { readonly requests: number; readonly prefillTokens: number }[] = [];
  #hasReport = false;
  #other = { requests: 0, prefillTokens: 0, blocks: 0 };
  #streak = 0;
  #streakMs = 0;
  #leastExcess = 0;

  /** Streams booked here. */
  get bookings(): number {
    return this.#bookings.size;
  }

  /** Streams here as far as known: booked, and told of by reports. */
  get requests(): number {
    return this.#bookings.size + this.#other.requests;
  }

  /** Prompt tokens that wait to be computed. */
  get prefillTokens(): number {
    return this.#prefillTokens + this.#other.prefillTokens;
  }

  /** Streams booked here whose first token is not there yet. */
  get waiting(): number {
    return this.#line.size;
  }

  /** How long their prompts take, as `foresee` last found; 0 before. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** Share of the last minute in which prompts were computed here, as `foresee` last found; 0 before. */
  get busyShare(): number {
    return this.#busyShare;
  }

  /** Streams booked here in the last minute or so, as `foresee` last found; 0 before. */
  get recent(): number {
    return this.#recent;
  }

  /** Prompt tokens per second of the last report; 0 = unknown. */
  get prefillRate(): number {
    return this.#prefillRate;
  }

  /** How long this rank takes, and its block size; from here on bookings are predicted with it. */
  expect(times: TtftTimes | undefined, blockSize: number): void {
    this.#line.expect(times, blockSize);
  }

  /** Predicts how long the waiting prompts take from now on, at `assumedRate` tokens per second where nothing is known. O(1). */
  foresee(nowMs: number, assumedRate: number): void {
    this.#aheadMs = this.#line.aheadMs(nowMs, {
      ...{ allTokens: this.prefillTokens, otherTokens: this.#other.prefillTokens },
      tokensPerSecond: this.#prefillRate > 0 ? this.#prefillRate : assumedRate,
    });
    this.#busyShare = this.#line.busyShare(nowMs);
    this.#recent = this.#line.recent(nowMs);
  }

  /** Requests at the router wait for this rank, and will compute here for so long: part of `aheadMs` until `foresee` is called again. */
  claim(workMs: number): void {
    this.#aheadMs += workMs;
  }

  /** Blocks of running streams. */
  get blocks(): number {
    return this.#blocks + this.#other.blocks;
  }

  /** What is here without a booking. */
  get other(): { readonly requests: number; readonly prefillTokens: number } {
    return this.#other;
  }

  /** Adds a booking. */
  add(booking: Booking): void {
    this.#bookings.set(booking.text, booking);
    if (!booking.hasFirstToken) this.#line.add(booking);
    this.#count(booking, 1);
  }

  /** Takes a booking away. */
  remove(booking: Booking): void {
    if (!this.#bookings.delete(booking.text)) return;
    this.#line.remove(booking, undefined);
    this.#count(booking, -1);
  }

  /** The stream's prompt is computed. */
  firstToken(booking: Booking, nowMs: number): void {
    if (booking.hasFirstToken) return;
    this.#line.remove(booking, nowMs);
    this.#prefillTokens -= booking.claim.prefillTokens;
    booking.hasFirstToken = true;
  }

  /** Takes a report in; returns the bookings that are no stream of the worker, to be dropped. */
  reported(report: LoadReport, nowMs: number): Booking[] {
    this.#learnOther(report);
    this.#prefillRate = report.prefillRate;
    const { activeStreams, activeDigestHi, activeDigestLo } = report;
    const isSame = activeStreams === this.#bookings.size && activeDigestHi === this.#digestHi &&
      activeDigestLo === this.#digestLo;
    const excess = isSame ? 0 : this.#old(nowMs).length - activeStreams;
    if (excess <= 0) {
      this.#streak = 0;
      return [];
    }
    if (this.#streak === 0) {
      this.#streakMs = nowMs;
      this.#leastExcess = excess;
    }
    this.#streak += 1;
    this.#leastExcess = Math.min(this.#leastExcess, excess);
    const isSure = this.#streak >= driftLimits.reports &&
      nowMs - this.#streakMs >= driftLimits.spanMs;
    if (!isSure) return [];
    this.#streak = 0;
    return this.#lost(report, nowMs).slice(0, this.#leastExcess);
  }

  /** Throws where the sums are not those of the bookings. */
  checkIntegrity(): void {
    const sum = { prefillTokens: 0, blocks: 0, hi: 0, lo: 0 };
    let waiting = 0;
    for (const { claim, hasFirstToken, hashHi, hashLo } of this.#bookings.values()) {
      sum.prefillTokens += hasFirstToken ? 0 : claim.prefillTokens;
      sum.blocks += claim.blocks;
      waiting += hasFirstToken ? 0 : 1;
      sum.hi = (sum.hi ^ hashHi) >>> 0;
      sum.lo = (sum.lo ^ hashLo) >>> 0;
    }
    if (sum.prefillTokens !== this.#prefillTokens || sum.blocks !== this.#blocks) {
      throw new Error("the sums of a rank are not those of its bookings");
    }
    if (sum.hi !== this.#digestHi || sum.lo !== this.#digestLo) {
      throw new Error("the digest of a rank is not that of its bookings");
    }
    if (waiting !== this.#line.size) throw new Error("a rank's line is not that of its bookings");
  }

  #count(booking: Booking, sign: 1 | -1): void {
    const { claim, hasFirstToken } = booking;
    if (!hasFirstToken) this.#prefillTokens += sign * claim.prefillTokens;
    this.#blocks += sign * claim.blocks;
    this.#digestHi = (this.#digestHi ^ booking.hashHi) >>> 0;
    this.#digestLo = (this.#digestLo ^ booking.hashLo) >>> 0;
  }

  #old(nowMs: number): Booking[] {
    return [...this.#bookings.values()].filter((one) =>
      nowMs - one.bookedMs >= driftLimits.youngMs
    );
  }

  /** Old bookings, the likeliest to be lost first: the one whose absence explains the digest, then by age. */
  #lost(report: LoadReport, nowMs: number): Booking[] {
    const old = this.#old(nowMs);
    const hi = (this.#digestHi ^ report.activeDigestHi) >>> 0;
    const lo = (this.#digestLo ^ report.activeDigestLo) >>> 0;
    const match = old.find((one) => one.hashHi === hi && one.hashLo === lo);
    return match === undefined ? old : [match, ...old.filter((one) => one !== match)];
  }

  /** A report lags behind the ledger by an instant: what only one report tells of is not believed, except of the first. */
  #learnOther(report: LoadReport): void {
    const running = report.running + report.waiting;
    this.#surplus.push({
      requests: Math.max(0, running - this.#bookings.size),
      prefillTokens: Math.max(0, report.prefillTokens - this.#prefillTokens),
    });
    if (this.#surplus.length > driftLimits.unknownReports) this.#surplus.shift();
    const isSure = !this.#hasReport || this.#surplus.length === driftLimits.unknownReports;
    this.#hasReport = true;
    const least = (name: "requests" | "prefillTokens") =>
      isSure ? Math.min(...this.#surplus.map((one) => one[name])) : 0;
    const requests = least("requests");
    const blocks = requests === 0 ? 0 : Math.round(report.activeBlocks * requests / running);
    this.#other = { requests, prefillTokens: least("prefillTokens"), blocks };
  }
}
