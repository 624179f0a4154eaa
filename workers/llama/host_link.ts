import { payloadOffset, routeHashes } from "@pixii/wire";
import type { EngineRequest } from "../engine.ts";
import type {
  EngineHostTier,
  HostRun,
  HostSlots,
  HostTotals,
  KvStore,
  MappedPool,
} from "../kv_store/kv_store.ts";
import type { HostBlockKind, HostReport } from "./host_blocks.ts";
import { stateBytes } from "./state_blob.ts";
import type { ToThread } from "./thread_messages.ts";

/** What the link is made of. */
export interface HostLinkParts {
  readonly kind: HostBlockKind;
  readonly post: (message: ToThread) => void;
}

/** The host tier between the main isolate, which speaks with its owner, and the thread, which moves the blocks. */
export class HostLink implements EngineHostTier {
  readonly blockBytes: number;
  readonly totals: HostTotals = {
    ...{ offloaded: 0, dropped: 0, onboarded: 0, unusable: 0, damaged: 0 },
    ...{ offloadMs: 0, onboardMs: 0 },
  };
  readonly #parts: HostLinkParts;
  readonly #leaving = new Map<number, () => void>();
  #store: KvStore | undefined;
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

  /** Asks what the tier has of a prompt; nothing where there is nothing to ask. */
  find(request: EngineRequest): Promise<HostRun | undefined> | undefined {
    const { blockSize } = this.#parts.kind;
    const maxBlocks = Math.floor((request.tokens.length - 1) / blockSize);
    if (this.#store === undefined || maxBlocks === 0) return undefined;
    const { adapter: adapterDigest, tenantSalt } = request;
    const salt = { adapterDigest, tenantSalt };
    return this.#store.find(routeHashes(request.tokens, { blockSize, maxBlocks, ...salt }));
  }

  /** What the thread did. */
  report({ generation, commits, damaged, leases, counts }: HostReport): void {
    for (const name of Object.keys(counts) as (keyof HostTotals)[]) {
      this.totals[name] += counts[name];
    }
    const store = this.#store;
    if (store === undefined) return;
    if (damaged.length > 0) store.damaged(generation, damaged);
    if (leases.length > 0) store.release(generation, leases);
    if (commits.length > 0) void store.commit(generation, commits);
    else if (counts.dropped > 0) store.restock();
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

  #post(message: ToThread): void {
    if (!this.#isOver) this.#parts.post(message);
  }
}
