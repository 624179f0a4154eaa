import { ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { ActOrder, Actuator } from "./actuator.ts";

/** Most orders kept. */
const mostOrders = 256;

/** Moves nothing and keeps what it was asked for. */
export class VirtualActuator implements Actuator {
  readonly name = "virtual";
  readonly kinds: Actuator["kinds"];
  readonly #orders = new Map<string, ActOrder>();

  /** `kinds`: all if left out. */
  constructor(kinds: Actuator["kinds"] = ["flip", "start", "stop"]) {
    this.kinds = kinds;
  }

  /** What was asked for, each order once, the oldest first. */
  get orders(): readonly ActOrder[] {
    return [...this.#orders.values()];
  }

  apply(order: ActOrder): Promise<Result<void>> {
    if (this.#orders.size === mostOrders) {
      this.#orders.delete(this.#orders.keys().next().value!);
    }
    this.#orders.set(order.id, order);
    return Promise.resolve(ok(undefined));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
