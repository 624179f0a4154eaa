import { ChurnMap, fail, subjects as subjectsOf } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { ServiceContext } from "@pixii/runtime";
import { BusLink } from "./bus_link.ts";
import { DemandWriter } from "./demand_writer.ts";
import type { WatchedDirectory } from "./directory_watch.ts";
import type { Followed } from "./followed.ts";
import { Inbox } from "./inbox.ts";
import { LedgerWriter } from "./ledger_writer.ts";
import { LiveStream } from "./live_stream.ts";
import type { ServedModel } from "./model_directory.ts";
import { RouteClient } from "./route_client.ts";
import type { Generator, StreamHandle, StreamRequest, StreamSink } from "./stream.ts";
import { StreamKeeper } from "./stream_keeper.ts";
import type { StreamParts } from "./stream_parts.ts";
import { usualWakeLimits, WakeDesk } from "./wake_desk.ts";
import type { WakeLimits, WakePatience } from "./wake_desk.ts";

/** What a generator works with. */
export interface GeneratorOptions {
  readonly context: Pick<
    ServiceContext,
    "bus" | "clock" | "chance" | "log" | "metrics" | "namespace" | "instance"
  >;
  /** Whose workers are watched; outlives the generator. */
  readonly directory: Pick<
    WatchedDirectory,
    "workers" | "metrics" | "find" | "wakes" | "isOpen" | "onChange"
  >;
  /** The usual ones where left out. */
  readonly wake?: WakeLimits;
}

/** A generator with its own life. */
export interface RunningGenerator extends Generator, AsyncDisposable {
  /** No request waits for a model to wake any more. */
  stopWaiting(): void;
  /** Resolves when no stream is live or `signal` aborts. */
  idle(signal: AbortSignal): Promise<void>;
}

/** Runs streams on the bus. Disposing ends what is live with `draining`. */
export function createGenerator(options: GeneratorOptions): RunningGenerator {
  return new BusGenerator(options);
}

class BusGenerator implements RunningGenerator {
  readonly #parts: StreamParts;
  readonly #keeper: StreamKeeper;
  readonly #demand: DemandWriter;
  readonly #live = new ChurnMap<number, LiveStream>();
  #idle: (() => void)[] = [];
  #isDisposed = false;
  #made = 0;

  constructor({ context, directory, wake = usualWakeLimits }: GeneratorOptions) {
    const { bus, clock, chance, log, instance } = context;
    const { workers, metrics } = directory;
    const subjects = subjectsOf(context.namespace);
    const inbox = new Inbox<Followed>({
      ...{ bus, clock, workers, metrics, log, subject: subjects.inbox(instance) },
      firstTag: chance.u32(),
    });
    const ledger = new LedgerWriter({
      ...{ bus, clock, metrics, from: instance, subject: subjects.ledger },
    });
    this.#demand = new DemandWriter({
      ...{ bus, clock, subject: subjects.demand(instance), frontend: instance },
    });
    const routes = new RouteClient({
      ...{ bus, clock, chance, log, subjects, workers, metrics, frontend: instance },
      cards: (model) => directory.find(model.name)?.cards ?? model.cards,
      inFlight: (worker) => inbox.countAt(worker),
    });
    const wakes = new WakeDesk({
      ...{ clock, log, metrics, directory, demand: this.#demand, limits: wake },
    });
    const link = new BusLink({ bus, clock, onUp: () => this.#up(), onLost: () => this.#lost() });
    this.#parts = {
      ...{ bus, clock, log, metrics, subjects, workers, link, ledger, inbox, routes, wakes },
      ...{ frontend: instance, demand: this.#demand.count },
    };
    this.#keeper = new StreamKeeper(this.#parts);
    context.metrics.onCollect(() => {
      metrics.live.set(this.#live.size);
      metrics.wakeWaiting.set(wakes.size);
    });
  }

  get live(): number {
    return this.#live.size;
  }

  start(request: StreamRequest, sink: StreamSink): StreamHandle {
    const id = ++this.#made;
    const stream = new LiveStream(this.#parts, request, sink, () => this.#ended(id));
    this.#live.set(id, stream);
    if (this.#isDisposed) queueMicrotask(() => stream.fail(shutDown()));
    else stream.start();
    return stream;
  }

  awake(model: ServedModel, patience: WakePatience): Promise<Result<void>> {
    return this.#parts.wakes.wait(model, patience);
  }

  stopWaiting(): void {
    this.#parts.wakes.close();
  }

  async idle(signal: AbortSignal): Promise<void> {
    if (this.#live.size === 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    for (const stream of [...this.#live.values()]) stream.fail(shutDown());
    const { inbox, ledger, link, bus, routes, wakes } = this.#parts;
    for (const one of [this.#keeper, wakes, routes, inbox, link, ledger, this.#demand]) {
      one[Symbol.dispose]();
    }
    await bus.flush();
  }

  #ended(id: number): void {
    this.#live.delete(id);
    if (this.#live.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #up(): void {
    this.#parts.ledger.flush();
    this.#keeper.resumeAll();
  }

  #lost(): void {
    const { error } = fail(
      "bus_unavailable",
      "Cannot finish the stream: the message bus has been away too long; try again",
    );
    for (const stream of [...this.#live.values()]) stream.fail(error);
  }
}

function shutDown() {
  return fail("draining", "Cannot finish the stream: this frontend is shutting down; try again")
    .error;
}
