import { fail, keys, modelHashOf } from "@pixii/wire";
import type { InstanceId, LoadReport, ModelCard, ModelHash, Result } from "@pixii/wire";
import type { Clock, Log, Registry } from "@pixii/runtime";
import { countsAfter } from "./actuators/actuator.ts";
import type { ActOrder, Actuator } from "./actuators/actuator.ts";
import type { PlanRecord } from "./core/plan_record.ts";
import type { PlannerMetrics } from "./metrics.ts";
import type { ActNote, KeptFlip } from "./plan_history.ts";
import type { RegistryView } from "./registry_view.ts";

/** What a mover works with. */
export interface MoverParts {
  readonly instance: InstanceId;
  readonly registry: Registry;
  readonly namespace: string;
  readonly view: RegistryView;
  readonly actuators: readonly Actuator[];
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: PlannerMetrics;
  /** Asked before every order: a planner whose claim ran out moves nothing. */
  readonly mayAct: () => boolean;
}

/**
 * Carries decisions out. All it has begun stands in the registry and in what workers report, nothing only in here: where a
 * planner dies, workers end their changes by themselves within their bound, and the next planner tidies up.
 */
export class Mover {
  readonly #parts: MoverParts;

  constructor(parts: MoverParts) {
    this.#parts = parts;
  }

  /** Asks for a decision's moves, kind by kind. */
  async carry(record: PlanRecord): Promise<readonly ActNote[]> {
    const { instance, actuators, mayAct, log, metrics } = this.#parts;
    const id = `${instance}.${record.id}`;
    const model = { name: record.model, hash: modelHashOf(record.model) };
    const after = countsAfter(record.have, record.moves);
    const why = whyOf(record);
    const card = this.#cardOf(model.hash);
    const notes: ActNote[] = [];
    for (const actuator of actuators) {
      const moves = record.moves.filter(({ kind }) => actuator.kinds.includes(kind));
      if (moves.length === 0) continue;
      const note = { actuator: actuator.name, order: id };
      if (!mayAct()) {
        notes.push({ ...note, ok: false, error: "another planner acts now" });
        continue;
      }
      const done = await applied(actuator, {
        id,
        by: instance,
        model,
        have: record.have,
        moves,
        after,
        ...{ why, card, mayAct },
      });
      for (const { kind } of moves) {
        metrics.moves.add(1, { kind, result: done.ok ? "asked" : "failed" });
      }
      if (done.ok) {
        notes.push({ ...note, ok: true });
        log.info("moves asked for", {
          ...{ order: id, model: model.name, actuator: actuator.name },
          moves: moves.map(({ kind, reason }) => `${kind}: ${reason}`).join("; "),
        });
      } else {
        notes.push({ ...note, ok: false, error: done.error.message });
        log.warn("moves could not be asked for", { order: id, reason: done.error.message });
      }
    }
    return notes;
  }

  /** Of a worker that takes answers, where one does. */
  #cardOf(hash: ModelHash): ModelCard | undefined {
    const cards = this.#parts.view.cardsOf(hash);
    return cards.find(({ role }) => role !== "prefill") ?? cards[0];
  }

  /**
   * Removes wishes that workers have followed or given up, and those of workers that are gone; answers the changes that have
   * ended. Whoever wished it: a planner goes on where another one stopped.
   */
  async tidy(reports: readonly LoadReport[]): Promise<readonly KeptFlip[]> {
    const { view, registry, namespace, clock, mayAct } = this.#parts;
    const ended: KeptFlip[] = [];
    const at = new Date(clock.wallMs()).toISOString();
    for (const [key, wish] of [...view.desired]) {
      const report = reports.find(({ instance }) => instance === wish.instance);
      const card = [...view.cards.values()].find(({ instance }) => instance === wish.instance);
      const flip = report?.flip;
      const isOver = flip?.id === wish.id && flip.state !== "flipping";
      if (!isOver && (card !== undefined || report !== undefined)) continue;
      if (!mayAct()) return ended;
      const removed = await registry.remove(key);
      if (!removed.ok) return ended;
      // A wish under another worker's key is no worker's: it is removed, and no change of role has ended.
      if (key !== keys(namespace).desired(wish.instance)) continue;
      const model = card?.name ?? (report && view.names.get(report.model));
      ended.push({
        ...(model === undefined ? {} : { model }),
        ...{ instance: wish.instance, order: wish.id, to: wish.role, at },
        state: isOver ? flip.state : "worker gone",
        ...(isOver && flip.reason !== undefined ? { reason: flip.reason } : {}),
      });
      this.#parts.metrics.flips.add(1, { result: isOver ? flip.state : "worker-gone" });
    }
    return ended;
  }
}

/** An actuator that fails in an unforeseen way does not keep the others, and other models, from theirs. */
async function applied(actuator: Actuator, order: ActOrder): Promise<Result<void>> {
  try {
    return await actuator.apply(order);
  } catch (error) {
    return fail("internal", `Cannot ask ${actuator.name}: ${(error as Error).message}`);
  }
}

/** Why a decision moves something, in one line. */
function whyOf({ moves, bound }: PlanRecord): string {
  return [moves[0]?.reason ?? "", bound].filter((text) => text !== "").join("; ");
}
