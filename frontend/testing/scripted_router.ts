import {
  decode,
  decodeRouteRequest,
  encode,
  fail,
  modelHashOf,
  routerQueue,
  streamKeyText,
  subjects as subjectsOf,
} from "@pixii/wire";
import type { Failure, InstanceId, RouteNotice, RouteRequest } from "@pixii/wire";
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
  /** Computes every prompt, where it is set. */
  prefill: InstanceId | undefined;
  /** Has more of every prompt, where it is set. */
  peer: { readonly kvbm: InstanceId; readonly blocks: number } | undefined;
  /** Lets every request wait. */
  isFull = false;
  /** Those that wait, until settled. */
  readonly waiting: RouteRequest[] = [];
  /** Stream keys that were cancelled while they waited. */
  readonly cancelled: string[] = [];
  readonly #bus: Bus;
  readonly #namespace: string;
  readonly #open = new DisposableStack();
  #turn = 0;

  constructor(options: { bus: Bus; namespace: string; model: string; id: InstanceId }) {
    const { bus, namespace, model } = options;
    this.id = options.id;
    this.#bus = bus;
    this.#namespace = namespace;
    const subjects = subjectsOf(namespace);
    const route = subjects.route(modelHashOf(model));
    this.#open.use(bus.serve(route, (bytes) => this.#route(bytes), { queue: routerQueue }));
    this.#open.use(bus.subscribe(subjects.control(this.id), ({ payload }) => {
      const message = decode("control", payload);
      if (!message.ok || message.value.op !== "cancel-route") return;
      this.cancelled.push(streamKeyText(message.value));
    }));
  }

  [Symbol.dispose](): void {
    this.#open[Symbol.dispose]();
  }

  /** Tells that everything that waits still does. */
  beat(): void {
    for (const request of this.waiting) {
      const { requestId, attempt, leg } = request;
      const streams = [{ requestId, attempt, leg }];
      this.#notice(request, { kind: "waiting", router: this.id, streams });
    }
  }

  /** Answers everything that waits: with a decision, or a refusal. */
  settle(error?: Failure): void {
    for (const request of this.waiting.splice(0)) this.answer(request, error);
  }

  /** Answers one request that waits, or did. */
  answer(request: RouteRequest, error?: Failure): void {
    const { requestId, attempt, leg } = request;
    const reply = error === undefined ? this.#decide(request) : refused(error);
    this.#notice(request, { kind: "answer", router: this.id, requestId, attempt, leg, reply });
  }

  #notice({ frontend }: RouteRequest, notice: RouteNotice): void {
    this.#bus.publish(
      subjectsOf(this.#namespace).notices(frontend),
      encode("routeNotice", notice),
    );
  }

  #route(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const decoded = decodeRouteRequest(bytes);
    if (!decoded.ok) return refused(decoded.error);
    const request = decoded.value;
    this.requests.push(request);
    if (this.isDeaf) return new Promise(() => {});
    if (this.refuse !== undefined) return refused(this.refuse);
    if (!this.isFull) return this.#decide(request);
    this.waiting.push(request);
    return encode("routeReply", { kind: "queued", router: this.id, ahead: 0 });
  }

  #decide(request: RouteRequest): Uint8Array {
    const { deny, worker } = request.hints ?? {};
    const open = this.workers.filter((id) =>
      id !== this.prefill && deny?.includes(id) !== true && (worker === undefined || worker === id)
    );
    if (open.length === 0) return refused(fail("no_worker", "Cannot place: none is open").error);
    const chosen = { instance: open[this.#turn++ % open.length], dpRank: 0 };
    const overlap = { device: 1, host: 0, disk: 0 };
    const { requestId, attempt, leg, isl } = request;
    return encode("routeReply", {
      ...{ kind: "decision", worker: chosen, overlap, blockSize: 16 },
      peer: this.peer,
      prefill: this.prefill === undefined
        ? undefined
        : { worker: { instance: this.prefill, dpRank: 0 }, overlap },
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
