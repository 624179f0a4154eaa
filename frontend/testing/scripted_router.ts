import {
  decodeRouteRequest,
  encode,
  fail,
  modelHashOf,
  routerQueue,
  subjects as subjectsOf,
} from "@pixii/wire";
import type { Failure, InstanceId, RouteRequest } from "@pixii/wire";
import type { Bus } from "@pixii/runtime";

/** A router without an index: takes its workers in turn, hints obeyed, and does what its script says. */
export class ScriptedRouter implements Disposable {
  readonly id: InstanceId;
  /** Workers it knows, in order. */
  readonly workers: InstanceId[] = [];
  readonly requests: RouteRequest[] = [];
  /** Refuses with this. */
  refuse: Failure | undefined;
  /** Does not answer. */
  isDeaf = false;
  readonly #subscription: Disposable;
  #turn = 0;

  constructor(options: { bus: Bus; namespace: string; model: string; id: InstanceId }) {
    this.id = options.id;
    this.#subscription = options.bus.serve(
      subjectsOf(options.namespace).route(modelHashOf(options.model)),
      (bytes) => this.#route(bytes),
      { queue: routerQueue },
    );
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #route(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const decoded = decodeRouteRequest(bytes);
    if (!decoded.ok) return refused(decoded.error);
    const request = decoded.value;
    this.requests.push(request);
    if (this.isDeaf) return new Promise(() => {});
    if (this.refuse !== undefined) return refused(this.refuse);
    const { deny, worker } = request.hints ?? {};
    const open = this.workers.filter((id) =>
      deny?.includes(id) !== true && (worker === undefined || worker === id)
    );
    if (open.length === 0) return refused(fail("no_worker", "Cannot place: none is open").error);
    const chosen = { instance: open[this.#turn++ % open.length], dpRank: 0 };
    const overlap = { device: 1, host: 0, disk: 0 };
    const { requestId, attempt, leg, isl } = request;
    return encode("routeReply", {
      ...{ kind: "decision", worker: chosen, overlap, blockSize: 16 },
      record: encode("decisionRecord", {
        ...{ requestId, attempt, leg, isl, model: "scripted", policy: "round-robin" },
        ...{ router: this.id, atMs: 0, blockSize: 16, candidates: [], eligible: open.length },
        ...{ chosen, chance: [], stateVersion: 0 },
      }),
    });
  }
}

function refused(error: Failure): Uint8Array {
  return encode("routeReply", { kind: "refused", error });
}
