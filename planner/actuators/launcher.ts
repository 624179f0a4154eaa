import { encodeRecord, keys } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Registry } from "@pixii/runtime";
import { workersAfter } from "./actuator.ts";
import type { ActOrder, Actuator } from "./actuator.ts";

/** Longest reason in the record. */
const mostReasonChars = 256;

/**
 * Says how many workers of a model there are to be, by a key in the registry: `deno task dev` follows it, and beside
 * Kubernetes it keeps what was asked for, for whoever counts workers on their way.
 */
export class LauncherScale implements Actuator {
  readonly name = "launcher";
  readonly kinds = ["start", "stop"] as const;
  readonly #registry: Registry;
  readonly #namespace: string;

  constructor(options: { readonly registry: Registry; readonly namespace: string }) {
    this.#registry = options.registry;
    this.#namespace = options.namespace;
  }

  apply(order: ActOrder): Promise<Result<void>> {
    const { id, by, model, moves, after: roles, why, card } = order;
    const start = moves.find((move) => move.kind === "start");
    const stop = moves.flatMap((move) => move.kind === "stop" ? [move.rank.instance] : []);
    return this.#registry.put(
      keys(this.#namespace).scale(model.hash),
      encodeRecord("scale", {
        ...{ id, by, model: model.name, workers: workersAfter(order), stop: stop.slice(0, 64) },
        ...{ roles, card },
        startRole: start?.kind === "start" ? start.role : "both",
        reason: why.slice(0, mostReasonChars),
      }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
