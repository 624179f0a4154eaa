import type { Hash64, HashList, InstanceId, Result, StoreHello, StoreRows } from "@pixii/wire";
import { comingPage, ok, storeOps } from "@pixii/wire";
import { SharedMemory } from "@pixii/runtime";
import type { Clock, Log } from "@pixii/runtime";
import { ComingRuns } from "./coming_runs.ts";
import type {
  FindOptions,
  HostRun,
  HostTierUser,
  KvStore,
  Landing,
  MappedPool,
} from "./kv_store.ts";
import type { KvbmFinder } from "./kvbm_finder.ts";
import { StoreLink } from "./store_link.ts";

/**
 * A prompt waits so long for the host tier's answer, or as long as its blocks take to compute where that is longer, up to a
 * bound: then it is computed. A kvbm that has just started and reads its first blocks from disk was seen to need 85 ms.
 */
const findMs = 50;
const longestFindMs = 500;
/**
 * What takes seconds to compute is waited for longer: a quarter of that, up to a bound. A block manager that did not get
 * the processor for half a second would have cost a prompt of 4,096 tokens 40 s.
 */
const longestShare = 1 / 4;
const longestShareMs = 2_000;
/** Pauses between two tries to reach a kvbm: the first, and the longest. */
const backoffMs = 100;
const longestBackoffMs = 2_000;

/** What a store is made of. */
export interface HostStoreParts {
  readonly hello: StoreHello;
  readonly finder: KvbmFinder;
  readonly user: HostTierUser;
  readonly clock: Clock;
  readonly log: Log;
}

/** The pool in use and the way to its owner. */
interface Joined {
  readonly pool: MappedPool;
  readonly link: StoreLink;
  /** Slots the engine has and has not used. */
  stock: number;
  isAsking: boolean;
}

/**
 * A worker's end of the host tier: finds the kvbm of its host, maps its pool, keeps the engine in slots to write and
 * finds what prompts can reuse. Nothing here fails a request: without a kvbm there is nothing to reuse, and it is looked
 * for, for ever.
 */
export class HostStore implements KvStore, AsyncDisposable {
  readonly #parts: HostStoreParts;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  readonly #coming: ComingRuns;
  #joined: Joined | undefined;
  #generation = 0;
  #lease = 0;
  #onKvbm: (kvbm: InstanceId | undefined) => void = () => {};
  #retry: () => void = () => {};

  constructor(parts: HostStoreParts) {
    this.#parts = parts;
    this.#coming = new ComingRuns(parts.clock, (generation, landings) => {
      parts.user.landed(generation, landings);
    });
    parts.finder.onChange(() => this.#retry());
    this.#running = this.#run();
  }

  /** The kvbm in use. */
  get kvbm(): InstanceId | undefined {
    return this.#joined?.pool.kvbm;
  }

  /** Calls `listener` whenever another kvbm is in use, or none. */
  onKvbm(listener: (kvbm: InstanceId | undefined) => void): void {
    this.#onKvbm = listener;
  }

  /** True while a pool is in use. */
  get isOpen(): boolean {
    return this.#joined !== undefined;
  }

  /** What the tier holds of these blocks, pinned; nothing where it holds none, is not there or does not answer in time. */
  async find(
    routes: HashList,
    { tail, end, from, holder, stallMs }: FindOptions,
  ): Promise<HostRun | undefined> {
    const joined = this.#joined;
    if (joined === undefined) return undefined;
    const timeoutMs = findTimeoutMs(stallMs(routes.lo.length));
    if (joined.link.isSlow(timeoutMs)) return undefined;
    const words = questionOf(routes, tail ?? end);
    if (words.length === 0) return undefined;
    const { pool, link } = joined;
    const { generation } = pool;
    const lease = this.#lease = (this.#lease + 1) >>> 0;
    this.#coming.expect(lease, generation);
    const op = tail !== undefined ? "await" : end === undefined ? "find" : "findEnd";
    if (from !== undefined && from !== pool.kvbm) link.tell("from", wordsOf(from), lease);
    if (holder !== undefined && holder.kvbm !== pool.kvbm) {
      link.tell("from", wordsOfHolder(holder), lease);
    }
    const found = await link.ask(op, words, { arg: lease, timeoutMs });
    if (!found.ok || found.value.length !== words.length) {
      // Said after the question on the same connection, so it ends the lease even if that is still to come.
      this.#coming.forget(lease);
      link.tell("release", Uint32Array.of(lease));
      return undefined;
    }
    const slots = found.value.filter((_, i) => i % 2 === 0);
    const pages = found.value.filter((_, i) => i % 2 === 1);
    if (slots.every((slot, i) => slot === 0 && pages[i] !== comingPage)) {
      this.#coming.forget(lease);
      return undefined;
    }
    const came = Uint8Array.from(slots, (slot) => slot === 0 ? 1 : 0);
    const run: HostRun = { generation, lease, slots, pages, came, tail, end };
    this.#coming.answered(run, stallMs);
    return run;
  }

  /** What is on its way under this lease comes within so long, or counts as lost. */
  hurry(lease: number, ms: number): void {
    this.#coming.hurry(lease, ms);
  }

  /** Leases that are over. */
  release(generation: number, leases: readonly number[]): void {
    if (this.#of(generation) === undefined) return;
    for (const lease of leases) this.#coming.forget(lease);
    this.#of(generation)?.link.tell("release", Uint32Array.from(leases));
  }

  /** Blocks that were found damaged. */
  damaged(generation: number, slots: readonly number[]): void {
    this.#of(generation)?.link.tell("damaged", Uint32Array.from(slots));
  }

  /** Blocks that were written: `StoreRows` of `commit`. Answers how many are stored now. */
  async commit(generation: number, words: Uint32Array): Promise<number> {
    const joined = this.#of(generation);
    if (joined === undefined || words.length === 0) return 0;
    joined.stock -= words.length / 6;
    const stored = joined.link.ask("commit", words);
    void this.#restock(joined);
    const rows = await stored;
    if (rows.ok) this.#unwritten(generation, { words, rows: rows.value });
    return rows.ok ? rows.value.filter((slot, i) => i % 2 === 0 && slot !== 0).length : 0;
  }

  /** Where another worker was first its copy stays: the slots that were written for it hold nothing any more. */
  #unwritten(
    generation: number,
    { words, rows }: { readonly words: Uint32Array; readonly rows: Uint32Array },
  ): void {
    const slots = words.filter((slot, i) => i % 6 === 0 && rows[i / 3] !== slot);
    if (slots.length > 0) this.#parts.user.gone(generation, slots);
  }

  /** Blocks that were written for one reader: words of `commitPrivate`. */
  commitPrivate(generation: number, words: Uint32Array): void {
    const joined = this.#of(generation);
    if (joined === undefined || words.length === 0) return;
    joined.stock -= words.length / 6;
    void joined.link.ask("commitPrivate", words);
    void this.#restock(joined);
  }

  /** The engine wants slots: where there were none a moment ago there may be some now. */
  restock(): void {
    if (this.#joined !== undefined) void this.#restock(this.#joined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    this.#joined?.link[Symbol.dispose]();
    this.#parts.finder[Symbol.dispose]();
    await this.#running;
  }

  #of(generation: number): Joined | undefined {
    return this.#joined?.pool.generation === generation ? this.#joined : undefined;
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    let failures = 0;
    while (!signal.aborted) {
      const joined = await this.#join();
      if (joined.ok) {
        failures = 0;
        await this.#serve(joined.value.link, joined.value.memory);
      } else {
        this.#parts.log.debug("no kvbm", { reason: joined.error.message });
        failures += 1;
      }
      if (!signal.aborted) await this.#pause(failures);
    }
  }

  async #join(): Promise<Result<{ link: StoreLink; memory: SharedMemory }>> {
    const { finder, hello, clock, log } = this.#parts;
    const none = { code: "no_responders" as const, message: "no kvbm on this host" };
    let last: Result<never> = { ok: false, error: none };
    for (const path of finder.sockets()) {
      const opened = await StoreLink.open(path, { hello, clock, log });
      if (!opened.ok) {
        last = opened;
        continue;
      }
      const link = opened.value;
      const { welcome } = link;
      const memory = await SharedMemory.open(welcome.path, welcome.poolBytes, { populate: true });
      if (memory.ok) return ok({ link, memory: memory.value });
      link[Symbol.dispose]();
      log.warn("cannot use the host tier", { reason: memory.error.message });
      last = memory;
    }
    return last;
  }

  /** Uses a pool until its owner is gone. */
  async #serve(link: StoreLink, memory: SharedMemory): Promise<void> {
    const { user, log } = this.#parts;
    const { kvbm, pageBytes, slotBytes } = link.welcome;
    const { path, bytes, address } = memory;
    const generation = ++this.#generation;
    const pool: MappedPool = { generation, kvbm, path, bytes, address, pageBytes, slotBytes };
    const joined: Joined = { pool, link, stock: 0, isAsking: false };
    this.#joined = joined;
    const reading = link.run({
      told: (rows) => this.#told(joined, rows),
      late: (rows) => this.#late(joined, rows),
    });
    if (this.#end.signal.aborted) link[Symbol.dispose]();
    user.opened(pool);
    this.#onKvbm(kvbm);
    log.info("host tier in use", { kvbm, path, bytes });
    void this.#restock(joined);
    await reading;
    this.#joined = undefined;
    this.#coming.clear();
    this.#onKvbm(undefined);
    if (!this.#end.signal.aborted) {
      log.warn("the kvbm is gone: prompts are computed until it is back", { kvbm });
    }
    await user.closed(pool);
    memory[Symbol.dispose]();
  }

  #told(joined: Joined, rows: StoreRows): void {
    const { op, words } = rows;
    if (op === "gone") this.#parts.user.gone(joined.pool.generation, words);
    else if (op === "landed" || op === "lost") this.#coming.landed(landingsOf(op, words));
  }

  #late({ link }: Joined, rows: StoreRows): void {
    if (rows.op !== "reserved") return;
    link.tell("giveUp", rows.words.filter((_, i) => i % 2 === 0));
  }

  /** Gives the engine the slots it lacks; one question at a time. */
  async #restock(joined: Joined): Promise<void> {
    const wanted = joined.link.welcome.mostReserved - joined.stock;
    if (wanted <= 0 || joined.isAsking) return;
    joined.isAsking = true;
    const given = await joined.link.ask("reserve", new Uint32Array(), { arg: wanted });
    joined.isAsking = false;
    if (!given.ok || this.#joined !== joined) return;
    const slots = given.value.filter((_, i) => i % 2 === 0);
    const pages = given.value.filter((_, i) => i % 2 === 1);
    if (slots.length === 0) return;
    joined.stock += slots.length;
    this.#parts.user.granted({ generation: joined.pool.generation, slots, pages });
  }

  /** Waits before the next try, longer after each failure, or until the registry lists another kvbm. */
  async #pause(failures: number): Promise<void> {
    const { clock } = this.#parts;
    const ms = Math.min(longestBackoffMs, backoffMs * 2 ** Math.min(failures, 10));
    const cut = new AbortController();
    this.#retry = () => cut.abort();
    const signal = AbortSignal.any([cut.signal, this.#end.signal]);
    // Cut short by a change or by the end: both are what it waits for.
    await clock.sleep(ms, signal).catch(() => undefined);
    this.#retry = () => {};
  }
}

/** Words of a question: route lo, hi of each block, then of the tail or end. */
function questionOf(routes: HashList, tail: Readonly<Hash64> | undefined): Uint32Array {
  const count = routes.lo.length;
  const words = new Uint32Array(2 * count + (tail === undefined ? 0 : 2));
  for (let i = 0; i < count; i++) {
    words[2 * i] = routes.lo[i];
    words[2 * i + 1] = routes.hi[i];
  }
  if (tail !== undefined) words.set([tail.lo, tail.hi], 2 * count);
  return words;
}

/** An instance as `StoreRows` has it: lo, hi. */
function wordsOf(instance: InstanceId): Uint32Array {
  const at = (digit: number) => Number.parseInt(instance.slice(digit, digit + 8), 16);
  return Uint32Array.of(at(8), at(0));
}

/** A holder as `StoreRows` has it. */
function wordsOfHolder(
  { kvbm, first, end, computeMs }: NonNullable<FindOptions["holder"]>,
): Uint32Array {
  const ms = Math.min(0xffff_ffff, Math.ceil(computeMs));
  return Uint32Array.of(...wordsOf(kvbm), first, end, ms, 0);
}

/** How long a question may go unanswered whose blocks take so long to compute. */
function findTimeoutMs(computeMs: number): number {
  const shareMs = Math.min(longestShareMs, longestShare * computeMs);
  return Math.max(findMs, Math.min(longestFindMs, computeMs), shareMs);
}

function landingsOf(op: "landed" | "lost", words: Uint32Array): Landing[] {
  const { width } = storeOps[op];
  return Array.from({ length: words.length / width }, (_, row) => {
    const [lease, position, slot = 0, page = 0] = words.subarray(row * width, (row + 1) * width);
    return { lease, position, slot, page };
  });
}
