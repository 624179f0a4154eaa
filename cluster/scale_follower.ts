import { decodeRecord, keys } from "@pixii/wire";
import type { Result, Role, ScaleRecord } from "@pixii/wire";
import type { Log, Registry } from "@pixii/runtime";
import { scaleStep, scaleText } from "./core/scale_step.ts";
import type { ScaleSight } from "./core/scale_step.ts";
import { drainGraceMs } from "./cluster.ts";
import type { Fleet } from "./fleet.ts";
import type { Roster } from "./roster.ts";
import type { Program } from "./service_args.ts";

/** What a follower works with. */
export interface ScaleFollowerParts {
  readonly registry: Registry;
  readonly namespace: string;
  readonly fleet: Pick<Fleet, "workers" | "startMore" | "leave">;
  readonly roster: Pick<Roster, "servers" | "cardOf" | "onChange">;
  /** Another worker of a served model; undefined for a model that this launcher does not serve. */
  readonly workerOf: (model: string, number: number, role: Role) => Program | undefined;
  readonly log: Log;
  /** Takes a line for people. */
  readonly say: (line: string) => void;
}

interface Followed {
  readonly record: ScaleRecord;
  /** Workers that were started for it and died too often to be kept. */
  givenUp: number;
}

/**
 * Starts and stops workers as the planner's scale records say. A record is followed whenever something changes until it is
 * gone; then what runs goes on. All that is known stands in the registry and in what runs.
 */
export class ScaleFollower implements Disposable {
  readonly #parts: ScaleFollowerParts;
  /** By key. */
  readonly #followed = new Map<string, Followed>();
  /** Numbers of labels, by model: one that is gone is not given to another. */
  readonly #numbers = new Map<string, number>();
  readonly #open = new DisposableStack();

  private constructor(parts: ScaleFollowerParts) {
    this.#parts = parts;
  }

  /** Follows the records that there are and will be; fails where the registry does. */
  static async open(parts: ScaleFollowerParts): Promise<Result<ScaleFollower>> {
    const follower = new ScaleFollower(parts);
    const watch = await parts.registry.watch(keys(parts.namespace).scales, {
      snapshot: (entries) => {
        const there = new Set(entries.map(({ key }) => key));
        for (const key of follower.#followed.keys()) {
          if (!there.has(key)) follower.#followed.delete(key);
        }
        for (const { key, value } of entries) follower.#put(key, value);
        follower.#followAll();
      },
      change: (change) => {
        if (change.kind === "put") follower.#put(change.entry.key, change.entry.value);
        else follower.#followed.delete(change.key);
        follower.#followAll();
      },
    });
    if (!watch.ok) return watch;
    follower.#open.use(watch.value);
    follower.#open.use(parts.roster.onChange(() => follower.#followAll()));
    return { ok: true, value: follower };
  }

  /** Follows nothing more. Workers that are leaving go on leaving. */
  [Symbol.dispose](): void {
    this.#open.dispose();
    this.#followed.clear();
  }

  #put(key: string, text: string): void {
    const { log } = this.#parts;
    const read = decodeRecord("scale", text);
    if (!read.ok) return log.warn("unreadable record", { key, reason: read.error.message });
    const record = read.value;
    // The same record again, after a reconnect, gives nobody another try.
    if (this.#followed.get(key)?.record.id === record.id) return;
    if (this.#parts.workerOf(record.model, 0, "both") === undefined) {
      return log.warn("a model that is not served here is to be scaled", { model: record.model });
    }
    this.#followed.set(key, { record, givenUp: 0 });
  }

  #followAll(): void {
    for (const followed of this.#followed.values()) this.#follow(followed);
  }

  #follow(followed: Followed): void {
    const { say, fleet, log } = this.#parts;
    const { record } = followed;
    const step = scaleStep(record, this.#sightOf(followed));
    if (step.start.length + step.stop.length === 0) return;
    for (const label of step.stop) {
      // Its end lets those start that had no room.
      void fleet.leave(label, drainGraceMs).then(() => this.#followAll());
    }
    const started = step.start.flatMap((role): (readonly [string, Role])[] => {
      const program = this.#programOf(record.model, role);
      try {
        fleet.startMore(program, () => this.#gaveUp(followed, program.label));
        return [[program.label, role]];
      } catch (error) {
        log.error(`${program.label} cannot be started: ${(error as Error).message}`);
        followed.givenUp += 1;
        return [];
      }
    });
    if (started.length + step.stop.length === 0) return;
    say(scaleText(record.model, { started, stopped: step.stop, why: record.reason }));
  }

  #sightOf({ record: { model }, givenUp }: Followed): ScaleSight {
    const { fleet, roster } = this.#parts;
    const own = fleet.workers().filter((worker) => worker.model === model)
      .map((worker) => ({ ...worker, role: roster.cardOf(worker.instance)?.role ?? worker.role }));
    const ids = new Set(own.map(({ instance }) => instance));
    const others = roster.servers(model).filter((card) => !ids.has(card.instance))
      .map(({ role }) => role);
    return { own, others, givenUp };
  }

  #programOf(model: string, role: Role): Program {
    const { fleet, workerOf } = this.#parts;
    const before = this.#numbers.get(model) ??
      fleet.workers().filter((worker) => worker.model === model).length;
    this.#numbers.set(model, before + 1);
    const program = workerOf(model, before + 1, role);
    if (program === undefined) throw new Error(`${model} is not served here`);
    return program;
  }

  #gaveUp(followed: Followed, label: string): void {
    followed.givenUp += 1;
    this.#parts.say(
      `scale     ${followed.record.model}: gives up ${label}, which died again and again; its last lines say why`,
    );
  }
}
