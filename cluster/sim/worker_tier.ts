import type { Hash64, InstanceId, StoreHello } from "@pixii/wire";
import type { Clock, Log, ServiceContext } from "@pixii/runtime";
import { registeredKvbms, StoreLink } from "@pixii/workers/sim";
import type { HostBlocks, KvbmFinder, ShellStore } from "@pixii/workers/sim";
import { simBlockBytes } from "./host_tier.ts";
import type { TierBooks } from "./host_tier.ts";
import type { LocalHost } from "./local_host.ts";
import type { ProgramClock } from "./program_clock.ts";
import { simBlockSize, simModelHash } from "./sim_shape.ts";

/** How long reading and writing take a worker of speed 1, for each block of a batch: so long they stay pinned, or reserved. */
const readMs = 2;
const writeMs = 3;
/** Between two attempts to connect. */
const retryMs = 500;
/** A block manager that does not answer for so long is not asked more. */
const slowMs = 200;

/**
 * One worker's side of the host tier: blocks that leave the device are reserved, written and committed; those that come
 * back are found, pinned while they are read, and released. All of it by the real conversation with the block manager; only
 * whether a block is there is known at once, since the engine's model does not wait.
 */
export class WorkerTier implements HostBlocks, ShellStore {
  readonly #parts: {
    readonly books: () => TierBooks | undefined;
    readonly host: LocalHost;
    readonly clock: ProgramClock;
    readonly speed: number;
  };
  #finder: KvbmFinder | undefined;
  #hello: StoreHello | undefined;
  #log: Log | undefined;
  #link: StoreLink | undefined;
  #listener: (kvbm: InstanceId | undefined) => void = () => {};
  #isOpening = false;
  #isOver = false;
  #lease = 0;
  #found: Hash64[] = [];
  #kept: Hash64[] = [];

  /** `books`: those of the block manager that lives now. `clock`: that of the worker, which stops with it. */
  constructor(parts: {
    readonly books: () => TierBooks | undefined;
    readonly host: LocalHost;
    readonly clock: ProgramClock;
    /** Reading and writing are so much faster. */
    readonly speed: number;
  }) {
    this.#parts = parts;
  }

  /** The worker has its instance: looks for a block manager from now on. */
  async open(
    { instance, namespace, registry, log }: ServiceContext,
    layoutFingerprint: string,
  ): Promise<this> {
    const { host, clock } = this.#parts;
    const pid = host.process(clock);
    this.#log = log;
    this.#hello = {
      ...{ instance, model: simModelHash, layoutFingerprint, pid },
      ...{ processStart: `${pid}`, blockSize: simBlockSize, blockBytes: simBlockBytes },
    };
    this.#finder = await registeredKvbms(registry, { namespace, log });
    this.#finder.onChange(() => void this.#connect());
    void this.#connect();
    return this;
  }

  get kvbm(): InstanceId | undefined {
    return this.#link?.welcome.kvbm;
  }

  onKvbm(listener: (kvbm: InstanceId | undefined) => void): void {
    this.#listener = listener;
  }

  touch(hi: number, lo: number): boolean {
    const books = this.#usable();
    const layout = books?.pool.layouts.length === 1 ? 0 : undefined;
    if (layout === undefined || books!.pool.keys.find(layout, hi, lo) === 0) return false;
    if (this.#found.push({ hi, lo }) === 1) this.#clock.turn(() => void this.#find());
    return true;
  }

  keep(hi: number, lo: number): void {
    if (this.#usable() === undefined) return;
    if (this.#kept.push({ hi, lo }) === 1) this.#clock.turn(() => void this.#keep());
  }

  checkIntegrity(): void {
    // The books are the block manager's.
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#finder?.[Symbol.dispose]();
    this.#link?.[Symbol.dispose]();
    return Promise.resolve();
  }

  get #clock(): Clock {
    return this.#parts.clock;
  }

  #usable(): TierBooks | undefined {
    const books = this.#parts.books();
    const isTheirs = books !== undefined && books.instance === this.kvbm;
    return isTheirs && !this.#link!.isSlow(slowMs) ? books : undefined;
  }

  async #connect(): Promise<void> {
    const [path] = this.#finder?.sockets() ?? [];
    if (this.#isOver || this.#isOpening || this.#link !== undefined || path === undefined) return;
    const { host, clock } = this.#parts;
    const log = this.#log!;
    this.#isOpening = true;
    const connect = () => Promise.resolve(host.connect(path, { clock, log }));
    const opened = await StoreLink.open(path, { hello: this.#hello!, clock, log, connect });
    this.#isOpening = false;
    if (!opened.ok) return void clock.timer(retryMs, () => void this.#connect());
    const link = this.#link = opened.value;
    this.#listener(link.welcome.kvbm);
    if (this.#isOver) link[Symbol.dispose]();
    // A slot that was given too late is given back.
    const late = ({ op, words }: { readonly op: string; readonly words: Uint32Array }) => {
      if (op === "reserved") link.tell("giveUp", words.filter((_, i) => i % 2 === 0));
    };
    await link.run({ told: () => {}, late });
    link[Symbol.dispose]();
    this.#link = undefined;
    this.#listener(undefined);
    clock.timer(retryMs, () => void this.#connect());
  }

  async #find(): Promise<void> {
    const [link, found, lease] = [this.#link, this.#found.splice(0), ++this.#lease];
    if (link === undefined) return;
    const routes = Uint32Array.from(found.flatMap(({ hi, lo }) => [lo, hi]));
    const answer = await link.ask("find", routes, { arg: lease });
    // An answer that came too late has pinned too.
    if (!answer.ok) return link.tell("release", Uint32Array.of(lease));
    this.#clock.timer(
      readMs * found.length / this.#parts.speed,
      () => link.tell("release", Uint32Array.of(lease)),
    );
  }

  async #keep(): Promise<void> {
    const [link, kept] = [this.#link, this.#kept.splice(0)];
    if (link === undefined) return;
    const answer = await link.ask("reserve", new Uint32Array(), { arg: kept.length });
    if (!answer.ok) return;
    const slots = answer.value.filter((_, i) => i % 2 === 0);
    // Where all is held, the rest is lost to this tier.
    const rows = Array.from(slots, (slot, i) => [slot, kept[i].lo, kept[i].hi, 0, 0, 0]).flat();
    if (rows.length === 0) return;
    this.#clock.timer(
      writeMs * slots.length / this.#parts.speed,
      () => void link.ask("commit", Uint32Array.from(rows)),
    );
  }
}
