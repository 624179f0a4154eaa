import { bytesOfU32s } from "@pixii/wire";
import type { Subjects } from "@pixii/wire";
import type { Bus, Clock, Log } from "@pixii/runtime";
import type { AuditAsk, AuditResult } from "./core/audits.ts";
import type { RouterState } from "./core/router_state.ts";
import type { RouterMetrics } from "./metrics.ts";
import { askControl } from "./parts_fetch.ts";

/** How often due audits are asked for. */
const tickMs = 250;
/** Audits asked for at a time. */
const mostAsked = 8;
/** A worker answers between two engine steps: a slow prefill chunk may come first. */
const answerMs = 5_000;

/** What an auditor works with. */
export interface AuditorParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly subjects: Subjects;
  readonly state: RouterState;
  readonly metrics: RouterMetrics;
}

/** Asks owners which of the blocks that they are credited with they hold, and tells what came out. */
export class Auditor implements Disposable {
  readonly #parts: AuditorParts;
  readonly #stop = new AbortController();
  readonly #timer: Disposable;
  /** Ranks whose foreign hashes were told of. */
  #foreign = new Set<string>();
  #asked = 0;

  /** Asks from now on. */
  constructor(parts: AuditorParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(tickMs, () => this.#tick());
  }

  /** The cards have changed: warns of workers whose hashes name other blocks. O(ranks). */
  lookAtProofs(): void {
    const { state, log } = this.#parts;
    const foreign = new Set<string>();
    for (const { name, ranks } of state.fleet.models.values()) {
      for (const { key, worker, proof } of ranks) {
        if (proof !== "foreign") continue;
        foreign.add(key);
        if (this.#foreign.has(key)) continue;
        log.warn("a worker hashes blocks in another way: its blocks do not count", {
          ...{ model: name, worker: worker.instance, dpRank: worker.dpRank },
        });
      }
    }
    this.#foreign = foreign;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#timer[Symbol.dispose]();
  }

  #tick(): void {
    this.#tell();
    const { state, log } = this.#parts;
    for (const ask of state.truth.audits.takeAsks(mostAsked - this.#asked)) {
      this.#asked += 1;
      this.#ask(ask)
        .catch((error) => log.error("an audit broke", { owner: ask.source.owner, error }))
        .finally(() => this.#asked -= 1);
    }
  }

  async #ask(ask: AuditAsk): Promise<void> {
    const { source, asked } = ask;
    const { bus, clock, log, subjects, state } = this.#parts;
    const { model, dpRank, tier, owner } = source;
    const blocks = { hi: bytesOfU32s(asked.hi), lo: bytesOfU32s(asked.lo) };
    const answer = await askControl({
      ...{ bus, subject: subjects.control(owner), signal: this.#stop.signal },
      ...{ ask: { op: "audit", model, dpRank, tier, ...blocks }, timeoutMs: answerMs },
    }, "auditAnswer");
    if (this.#stop.signal.aborted) return;
    if (answer.ok) state.truth.audits.answered(ask, answer.value, clock.nowMs());
    else {
      log.debug("an audit was not answered", { owner, reason: answer.error.message });
      state.truth.audits.unanswered(ask, clock.nowMs());
    }
    this.#tell();
  }

  #tell(): void {
    const { state, clock } = this.#parts;
    const results = state.truth.takeResults(clock.nowMs());
    for (const result of results) this.#count(result);
    if (results.some(({ change }) => change !== undefined && change.from !== change.to)) {
      state.fleet.doubtAgain();
    }
  }

  #count({ kind, held, gone, change, source }: AuditResult): void {
    const { metrics, log } = this.#parts;
    metrics.audits.add(1, { result: kind });
    if (held > 0) metrics.auditBlocks.add(held, { result: "held" });
    if (gone > 0) metrics.auditBlocks.add(gone, { result: "gone" });
    const { owner, tier, dpRank } = source;
    const who = { owner, tier, dpRank, held, gone };
    if (change !== undefined && change.from !== change.to) {
      metrics.trustChanges.add(1, { to: change.to });
      if (change.to === "exact") log.info("a worker's blocks count in full again", who);
      else if (change.from === "off") log.info("a worker's blocks count half again", who);
      else if (change.to === "degraded") {
        log.warn("a worker does not hold what it told of: its blocks count half", who);
      } else log.warn("a worker goes on telling of what it does not hold: no credit", who);
    }
  }
}
