import { decodeRecord, keys } from "@pixii/wire";
import type { InstanceId, Role, RoleFlip, RoleState, StreamKey } from "@pixii/wire";
import type { Clock, Log, Registry } from "@pixii/runtime";
import { RoleTurn } from "./core/role_turn.ts";
import type { LiveKinds } from "./core/role_turn.ts";
import type { WorkerMetrics } from "./metrics.ts";

/** How often it is looked whether a drain has ended. */
const lookEveryMs = 50;
/** Pause before a watch that failed is tried again. */
const watchAgainMs = 1_000;

/** What the desk works with. */
export interface RoleDeskParts {
  readonly role: Role;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: WorkerMetrics;
  /** Streams that run now. O(streams), asked only while work drains. */
  readonly live: () => LiveKinds;
  /** Bound of a change whose wish names none. */
  readonly boundMs: number;
  /** The role or a change of it is another: to be told at once. */
  readonly onChange: (state: RoleState, isRoleNew: boolean) => void;
}

/** A wish as the control subject or the registry brings it. */
export interface AskedRole {
  readonly id: string;
  readonly role: Role;
  readonly reason: string;
  readonly boundMs?: number | undefined;
}

/** Changes the worker's role while it runs: by its key in the registry, and on request. */
export class RoleDesk implements Disposable {
  readonly #parts: RoleDeskParts;
  readonly #turn: RoleTurn;
  readonly #open = new DisposableStack();
  #looking: Disposable | undefined;
  /** The wish of the key that is there. */
  #keyed: string | undefined;
  #isClosed = false;

  constructor(parts: RoleDeskParts) {
    this.#parts = parts;
    this.#turn = new RoleTurn(parts.role);
  }

  /** What load reports say. */
  get state(): RoleState {
    return this.#turn.state;
  }

  /** True where a stream comes too late for the role that the worker is leaving. */
  refuses(key: StreamKey): boolean {
    return this.#turn.refuses(kindOf(key), this.#parts.clock.nowMs());
  }

  /** Follows a wish; answers how it stands. */
  wish(asked: AskedRole): RoleFlip {
    const { clock, log, boundMs, live } = this.#parts;
    const before = this.#turn.state;
    const { id, role, reason } = asked;
    const wish = { id, role, boundMs: asked.boundMs ?? boundMs };
    const flip = this.#turn.wish(wish, live(), clock.nowMs());
    if (flip === before.flip) return flip;
    log.info("another role is wished for", { id, from: before.role, to: role, reason });
    this.#changed(before);
    return flip;
  }

  /** Nothing changes any more: the worker shuts down. */
  end(reason: string): void {
    const before = this.#turn.state;
    if (this.#turn.end(reason)) this.#changed(before);
  }

  /** Follows the worker's key until disposed. Where the registry refuses it tries again. */
  async follow(registry: Registry, namespace: string, instance: InstanceId): Promise<void> {
    const key = keys(namespace).desired(instance);
    const watched = await registry.watch(key, {
      snapshot: (entries) => this.#read(entries.find((entry) => entry.key === key)?.value),
      change: (change) => {
        if (change.kind === "put") this.#read(change.entry.value);
        else this.#read(undefined);
      },
    });
    if (watched.ok && this.#isClosed) watched.value[Symbol.dispose]();
    else if (watched.ok) this.#open.use(watched.value);
    else if (!this.#isClosed) {
      const again = () => void this.follow(registry, namespace, instance);
      this.#open.use(this.#parts.clock.timer(watchAgainMs, again));
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#turn.end("the worker shuts down");
    this.#looking?.[Symbol.dispose]();
    this.#open[Symbol.dispose]();
  }

  /** What the key holds: a wish, or nothing, which leaves the role as it is and takes back what has not ended. */
  #read(text: string | undefined): void {
    if (this.#isClosed) return;
    if (text === undefined) {
      const { role, flip } = this.#turn.state;
      const isOurs = flip !== undefined && flip.id === this.#keyed;
      if (isOurs && this.#turn.giveUp("the wish was taken back")) this.#changed({ role, flip });
      this.#keyed = undefined;
      return;
    }
    const desired = decodeRecord("desired", text);
    if (!desired.ok) {
      this.#parts.log.warn("a wish is not understood", { reason: desired.error.message });
      return;
    }
    this.#keyed = desired.value.id;
    this.wish(desired.value);
  }

  #look(): void {
    const before = this.#turn.state;
    if (this.#turn.look(this.#parts.live(), this.#parts.clock.nowMs())) this.#changed(before);
  }

  #changed(before: RoleState): void {
    const { log, metrics, clock, onChange } = this.#parts;
    const { role, flip } = this.#turn.state;
    if (this.#turn.isFlipping) this.#looking ??= clock.every(lookEveryMs, () => this.#look());
    else {
      this.#looking?.[Symbol.dispose]();
      this.#looking = undefined;
      metrics.flips.add(1, { result: flip!.state, to: flip!.to });
      if (flip!.state === "done") log.info("the role is another", { from: before.role, to: role });
      else log.warn("the role stays", { role, wished: flip!.to, reason: flip!.reason });
    }
    onChange(this.#turn.state, role !== before.role);
  }
}

/** A prefill leg is work for another worker; all else is answered here. */
export function kindOf({ leg }: StreamKey): keyof LiveKinds {
  return leg % 2 === 1 ? "prompts" : "answers";
}
