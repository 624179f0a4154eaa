import { encodeRecord, fail, keys, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Registry } from "@pixii/runtime";
import type { ActOrder, Actuator } from "./actuator.ts";

/** A wish outlives the worker's own bound by this, so that the worker ends the change and not the key. */
const graceMs = 30_000;

/** Asks workers for another role by their keys in the registry. */
export class RoleKeys implements Actuator {
  readonly name = "role-keys";
  readonly kinds = ["flip"] as const;
  readonly #registry: Registry;
  readonly #namespace: string;
  readonly #boundMs: number;

  /** `boundMs`: a worker that has not drained by then keeps its role. */
  constructor(
    options: {
      readonly registry: Registry;
      readonly namespace: string;
      readonly boundMs: number;
    },
  ) {
    this.#registry = options.registry;
    this.#namespace = options.namespace;
    this.#boundMs = options.boundMs;
  }

  async apply({ id, by, moves, mayAct = () => true }: ActOrder): Promise<Result<void>> {
    for (const move of moves) {
      if (move.kind !== "flip") continue;
      if (!mayAct()) {
        return fail(
          "registry_unavailable",
          "The claim to act has run out: another planner may act",
        );
      }
      const { rank: { instance }, to: role, reason } = move;
      const boundMs = this.#boundMs;
      const wish = { instance, id: `${id}.${instance}`, role, reason, by, boundMs };
      const put = await this.#registry.put(
        keys(this.#namespace).desired(instance),
        encodeRecord("desired", wish),
        { ttlMs: boundMs + graceMs },
      );
      if (!put.ok) return put;
    }
    return ok(undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
