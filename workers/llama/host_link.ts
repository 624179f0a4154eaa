import { ChurnMap, payloadOffset, tailHash } from "@pixii/wire";
import type { handoverWords, HashList } from "@pixii/wire";
import type { EngineRequest } from "../engine.ts";
import type {
  EngineHostTier,
  FindOptions,
  HostRun,
  HostSlots,
  HostTotals,
  KvStore,
  Landing,
  MappedPool,
} from "../kv_store/kv_store.ts";
import { promptKeys, wholeBlocks } from "../core/prompt_end.ts";
import { endStateBytes } from "./host_block_kind.ts";
import type { HostBlockKind } from "./host_block_kind.ts";
import type { HostReport } from "./host_blocks.ts";
import { stateBytes } from "./state_blob.ts";
import type { ToThread } from "./thread_messages.ts";

/** A prompt that is computed elsewhere waits no longer than this for the next of its blocks. */
const takeStallMs = 10_000;
/** The other worker has said its last word: what it has written comes within this. */
const lastWordMs = 250;
/** Longest wait for blocks from below where it is not known how long computing them takes. */
const fetchStallMs = 250;

/** What the link is made of. */
export interface HostLinkParts {
  readonly kind: HostBlockKind;
  readonly post: (message: ToThread) => void;
  /** Prompt tokens that the engine computes in a second; 0 where that is not known. */
  readonly prefillRate: () => number;
}

type Word = typeof handoverWords[number];

/** The host tier between the main isolate, which speaks with its owner, and the thread, which moves the blocks. */
export class HostLink implements EngineHostTier {
  readonly blockBytes: number;
  readonly totals: HostTotals = {
    ...{ offloaded: 0, dropped: 0, onboarded: 0, unusable: 0, damaged: 0 },
    ...{ endsKept: 0, endsTaken: 0 },
    ...{ offloadMs: 0, onboardMs: 0, stepMs: 0, blocksMs: 0 },
  };
  readonly #parts: HostLinkParts;
  readonly #leaving = new Map<number, () => void>();
  readonly #committing = new Set<Promise<unknown>>();
  #store: KvStore | undefined;
  /** Leases of streams that take over, by stream: nothing while the question is on its way. */
  readonly #taking = new ChurnMap<number, { lease: number | undefined; word: Word | undefined }>();
  #isOver = false;

  constructor(parts: HostLinkParts) {
    const { blockSize, shape } = parts.kind;
    this.#parts = parts;
    this.blockBytes = payloadOffset(blockSize) + stateBytes(blockSize, shape);
  }

  use(store: KvStore): void {
    this.#store = store;
  }

  opened(pool: MappedPool): void {
    this.#post({ op: "pool", pool, kind: this.#parts.kind });
  }

  closed({ generation }: MappedPool): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#leaving.set(generation, resolve);
      this.#post({ op: "pool-lost", generation });
    });
  }

  granted(granted: HostSlots): void {
    this.#post({ op: "slots", granted });
  }

  gone(generation: number, slots: Uint32Array): void {
    this.#post({ op: "gone", generation, slots });
  }

  landed(generation: number, landings: readonly Landing[]): void {
    this.#post({ op: "landed", generation, landings });
  }

  /** True while blocks can be handed over. */
  get isOpen(): boolean {
    return this.#store?.isOpen ?? false;
  }

  /** Asks what the tier has of a prompt; nothing where there is nothing to ask. */
  find(request: EngineRequest): Promise<HostRun | undefined> | undefined {
    const { kind } = this.#parts;
    const { blockSize } = kind;
    const store = this.#store;
    if (store === undefined) return undefined;
    const { adapter: adapterDigest, tenantSalt, emitted } = request;
    const takes = request.handover?.part === "take";
    // The tail of a hand-over is the end; and what was said already is no part of a prompt that comes again.
    const canKeep = (tail: number) =>
      !takes && emitted === 0 && endStateBytes(kind, tail) !== undefined;
    const { routes, end } = promptKeys(request.tokens, {
      ...{ blockSize, salt: { adapterDigest, tenantSalt }, canKeep },
    });
    if (takes) return this.#await(store, routes, request);
    if (routes.hi.length === 0 && end === undefined) return undefined;
    const holder = this.#holderOf(request, end === undefined ? 0 : 1 + routes.lo.length);
    return store.find(routes, { end, holder, stallMs: (coming) => this.#computeMs(coming) });
  }

  /** How the other leg of a stream has ended. */
  handover(stream: number, word: Word): void {
    const taking = this.#taking.get(stream);
    if (taking === undefined) return;
    taking.word = word;
    if (taking.lease !== undefined) this.#hurry(taking.lease, word);
  }

  /** A stream is over. */
  ended(stream: number): void {
    this.#taking.delete(stream);
  }

  async #await(
    store: KvStore,
    routes: HashList,
    { key, emitted, stream, handover }: EngineRequest,
  ): Promise<HostRun | undefined> {
    const taking = { lease: undefined as number | undefined, word: undefined as Word | undefined };
    this.#taking.set(stream, taking);
    const tail = tailHash(key, emitted);
    const from = handover?.kvbm;
    const run = await store.find(routes, { tail, from, stallMs: () => takeStallMs });
    taking.lease = run?.lease;
    if (run !== undefined && taking.word !== undefined) this.#hurry(run.lease, taking.word);
    return run;
  }

  #hurry(lease: number, word: Word): void {
    this.#store?.hurry(lease, word === "lost" ? 0 : lastWordMs);
  }

  /** Who else has blocks of a prompt: one with all that may be reused is asked for its end too, of `rows` places in all. */
  #holderOf({ tokens, holder }: EngineRequest, rows: number): FindOptions["holder"] {
    if (holder === undefined) return undefined;
    const whole = wholeBlocks(tokens.length, this.#parts.kind.blockSize);
    const end = holder.end >= whole ? Math.max(whole, rows) : holder.end;
    const blocks = Math.max(0, end - holder.first);
    return {
      ...holder,
      end,
      computeMs: this.#parts.prefillRate() > 0 ? this.#computeMs(blocks) : 0,
    };
  }

  /** Longer than computing so many blocks takes nobody waits for them. */
  #computeMs(blocks: number): number {
    const rate = this.#parts.prefillRate();
    const { blockSize } = this.#parts.kind;
    return rate > 0 ? blocks * blockSize / rate * 1000 : fetchStallMs;
  }

  /** What the thread did. */
  report(report: HostReport): void {
    const { generation, commits, privates, damaged, leases, counts, isShort } = report;
    for (const name of Object.keys(counts) as (keyof HostTotals)[]) {
      this.totals[name] += counts[name];
    }
    const store = this.#store;
    if (store === undefined) return;
    if (damaged.length > 0) store.damaged(generation, damaged);
    if (leases.length > 0) store.release(generation, leases);
    // Blocks first: without them a reader has no use for what follows them.
    if (commits.length > 0) this.#commit(store, generation, commits);
    if (privates.length > 0) store.commitPrivate(generation, privates);
    if (commits.length > 0) return;
    if (counts.dropped > 0 || isShort) store.restock();
  }

  /** Resolves when all that was committed is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#committing);
  }

  /** The thread has let go of a pool. */
  left(generation: number): void {
    this.#leaving.get(generation)?.();
    this.#leaving.delete(generation);
  }

  /** The thread is no more: nobody waits for it. */
  end(): void {
    this.#isOver = true;
    for (const generation of [...this.#leaving.keys()]) this.left(generation);
  }

  #commit(store: KvStore, generation: number, commits: Uint32Array): void {
    const committing: Promise<unknown> = store.commit(generation, commits)
      .finally(() => this.#committing.delete(committing));
    this.#committing.add(committing);
  }

  #post(message: ToThread): void {
    if (!this.#isOver) this.#parts.post(message);
  }
}
