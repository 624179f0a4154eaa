/** One line broken on purpose. */
export interface Mutant {
  /** What it breaks, in words. */
  readonly name: string;
  /** Path from the root. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** Bugs of the kinds that this system could have: each is one line. */
export const mutants: readonly Mutant[] = [
  {
    name: "a lost release: a frontend never tells that a stream is over",
    file: "frontend/generation/attempt.ts",
    find: `...{ op: "complete", ...this.#options.key, outputTokens: this.next, reason },`,
    replace:
      `...{ op: "first-token", ...this.#options.key, cachedTokens: this.next + reason.length * 0 },`,
  },
  {
    name: "a double frame: tokens that came twice are given to the client twice",
    file: "frontend/core/stream_output.ts",
    find: "const skip = this.#count - entry.firstIndex;",
    replace: "const skip = Math.min(0, this.#count - entry.firstIndex);",
  },
  {
    name: "a missed gap of tokens: a frame after a lost one is taken as the next",
    file: "frontend/core/stream_output.ts",
    find: "if (skip < 0) return { tokens: none, logprobs: undefined, gap: true, end: undefined };",
    replace: "",
  },
  {
    name: "a stale credit: blocks that a worker removed stay in a router's index",
    file: "router/core/event_stream.ts",
    find: "const outcome = this.#index.applyEncoded(this.#slot, bytes, this.#body);",
    replace:
      "const outcome = bytes[44] === 2 ? { isFull: false, anomalies: 0 } : this.#index.applyEncoded(this.#slot, bytes, this.#body);",
  },
  {
    name: "a skipped gap check: a router takes any later batch of KV events as the next",
    file: "router/core/event_stream.ts",
    find: `return this.#state === "exact" && head.number === this.#number + 1 &&`,
    replace: `return this.#state === "exact" && head.number > this.#number &&`,
  },
  {
    name: "a heartbeat ignored: a router does not hear how far a block manager's events have come",
    file: "router/state_feed.ts",
    find: "const causes = state.heartbeat(beat.value, context.clock.nowMs());",
    replace: `const causes: "gap"[] = [];`,
  },
  {
    name: "a lost last batch: a report that stays ahead of the events is passed over",
    file: "router/core/event_stream.ts",
    find:
      `else if (nowMs - this.#aheadMs >= streamLimits.lostLastMs) return this.#fall("lost-last");`,
    replace: "",
  },
  {
    name: "a dead worker's blocks: a card that left is kept for ever",
    file: "router/core/card_book.ts",
    find: "if (goneMs === undefined) continue;",
    replace: "if (goneMs === undefined || goneMs >= 0) continue;",
  },
  {
    name: "a migration that begins anew: the next worker does not know what was said already",
    file: "frontend/generation/generate_message.ts",
    find: "emitted: output.next,",
    replace: "emitted: 0,",
  },
  {
    name: "a stream that ends twice",
    file: "frontend/generation/live_stream.ts",
    find: "    this.#isEnded = true;\n    this.#deadline",
    replace: "    this.#deadline",
  },
  {
    name: "a lost cancel: the worker is not told that a client went away",
    file: "workers/control_desk.ts",
    find: "if (record !== undefined) ranks[record.rank].engine.cancel(record.stream);",
    replace: "",
  },
  {
    name: "a pin that is never released: a finished sequence keeps its blocks",
    file: "workers/sim/core/sim_scheduler.ts",
    find: "this.#live.delete(sequence.request.stream);\n    this.#cache.release(sequence);",
    replace: "this.#live.delete(sequence.request.stream);",
  },
  {
    name: "a request that runs twice: a worker does not know a stream again",
    file: "workers/core/stream_book.ts",
    find: `if (known !== undefined) return { kind: "duplicate", record: known };`,
    replace: "",
  },
  {
    name: "a booking for ever: what a worker's reports prove lost stays booked",
    file: "router/core/ledger.ts",
    find: "for (const booking of lost) this.#release(booking);",
    replace: "",
  },
  {
    name: "two planners act: a claim that another one holds counts as one's own",
    file: "planner/leader.ts",
    find: "this.#untilMs = claimed.value ? askedMs + ttlMs - marginMs : -Infinity;",
    replace: "this.#untilMs = askedMs + ttlMs - marginMs;",
  },
  {
    name: "a role in limbo: a change whose work does not drain has no end",
    file: "workers/core/role_turn.ts",
    find: "if (nowMs < this.#endMs) return false;",
    replace: "if (nowMs < this.#endMs + 1e6) return false;",
  },
  {
    name: "a lease that outlives its owner: the pins of a worker that died stay",
    file: "kvbm/core/block_pool.ts",
    find: "for (const lease of [...leases.keys()]) this.release(client, [lease]);",
    replace: "leases.clear();",
  },
];
