import assert from "node:assert/strict";
import {
  decode,
  decodeKvEvents,
  decodeStepFrame,
  encode,
  encodeGenerateRequest,
  greedySampling,
  messageNameOf,
  subjects,
} from "@pixii/wire";
import type {
  Control,
  GenerateRequest,
  InstanceId,
  KvEventBatch,
  LoadReport,
  RequestId,
  StepEntry,
} from "@pixii/wire";
import { createMetrics, recordingLog, VirtualClock } from "@pixii/runtime";
import type { Bus, LoggedLine, MemoryBus } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import type { Engine } from "./engine.ts";
import { startWorkerShell } from "./service.ts";
import { openSims } from "./sim/open_testing.ts";
import type { SimOptions } from "./sim/open.ts";
import type { WorkerShell } from "./worker_shell.ts";

/** The worker of these tests, and two frontends. */
export const ids = {
  worker: "00000000000000aa" as InstanceId,
  frontend: "00000000000000f1" as InstanceId,
  other: "00000000000000f2" as InstanceId,
} as const;
const modelName = "m";

/** One stream as a frontend sees it. */
export interface Heard {
  readonly tokens: number[];
  readonly ends: NonNullable<NonNullable<StepEntry["extra"]>["end"]>[];
  /** An entry that did not follow the one before: its first index. */
  readonly gaps: number[];
}

/** A worker on a bus in memory under a virtual clock, and a listener to everything that it says. */
export class ShellDesk implements AsyncDisposable {
  readonly clock: VirtualClock;
  readonly host: TestHost;
  readonly bus: Bus;
  readonly workerBus: MemoryBus;
  readonly shell: WorkerShell;
  readonly engines: readonly Engine[];
  readonly lines: readonly LoggedLine[];
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly subjects = subjects("test");
  /** By frontend, then by tag. */
  readonly heard = new Map<string, Heard>();
  readonly frames: { readonly frontend: InstanceId; readonly entries: readonly StepEntry[] }[] = [];
  readonly loads: LoadReport[] = [];
  readonly kvBatches: KvEventBatch[] = [];

  private constructor(parts: {
    clock: VirtualClock;
    host: TestHost;
    workerBus: MemoryBus;
    shell: WorkerShell;
    engines: readonly Engine[];
    lines: readonly LoggedLine[];
    metrics: ReturnType<typeof createMetrics>;
    bus: Bus;
  }) {
    this.clock = parts.clock;
    this.host = parts.host;
    this.bus = parts.bus;
    this.workerBus = parts.workerBus;
    this.shell = parts.shell;
    this.engines = parts.engines;
    this.lines = parts.lines;
    this.metrics = parts.metrics;
    for (const frontend of [ids.frontend, ids.other]) {
      this.bus.subscribe(
        this.subjects.inbox(frontend),
        ({ payload }) => this.#frame(frontend, payload),
      );
    }
    this.bus.subscribe(this.subjects.allLoad, ({ payload }) => {
      const report = decode("loadReport", payload);
      assert.ok(report.ok);
      this.loads.push(report.value);
    });
    this.bus.subscribe(this.subjects.allKvEvents, ({ payload }) => {
      const batch = decodeKvEvents(payload);
      assert.ok(batch.ok);
      this.kvBatches.push(batch.value);
    });
  }

  /** A worker of simulated ranks. */
  static async sim(options: Partial<SimOptions> = {}): Promise<ShellDesk> {
    const clock = new VirtualClock();
    return await ShellDesk.open(clock, await openSims({ speed: 1, ...options, clock }));
  }

  /** A worker of any engines. */
  static async open(
    clock: VirtualClock,
    engines: readonly Engine[],
    hangMs = 60_000,
  ): Promise<ShellDesk> {
    const host = testHost({ clock });
    const { bus } = host.connect();
    const workerBus = host.bus as MemoryBus;
    const lines: LoggedLine[] = [];
    const metrics = createMetrics("worker");
    const { registry, chance, threads } = host;
    const shell = await startWorkerShell(engines, {
      ...{ bus: workerBus, registry, clock, chance, threads, metrics },
      log: recordingLog("worker", lines),
      namespace: "test",
      instance: ids.worker,
      admin: "",
    }, { name: modelName, hangMs });
    const desk = new ShellDesk({
      ...{ clock, host, workerBus, shell, engines, lines, metrics, bus },
    });
    await clock.advance(0);
    return desk;
  }

  /** What a stream said; nothing yet where it is new. */
  of(tag: number, frontend: InstanceId = ids.frontend): Heard {
    const key = `${frontend}.${tag}`;
    let heard = this.heard.get(key);
    if (heard === undefined) this.heard.set(key, heard = { tokens: [], ends: [], gaps: [] });
    return heard;
  }

  /** Asks the worker for a stream; its number is its tag and its request. Answers what came back. */
  async generate(stream: number, ask: Partial<GenerateRequest> = {}): Promise<string> {
    const bytes = encodeGenerateRequest({ ...requestOf(stream), ...ask });
    const reply = await this.ask(this.subjects.generate(ids.worker), bytes);
    if (messageNameOf(reply) === "refusal") {
      const refusal = decode("refusal", reply);
      assert.ok(refusal.ok && /^Cannot .+/.test(refusal.value.error.message));
      return refusal.value.error.code;
    }
    const frame = decodeStepFrame(reply);
    assert.ok(frame.ok);
    const [entry] = frame.value.entries;
    assert.deepEqual([entry.tag, entry.accepted, entry.tokens.length], [stream, true, 0]);
    return "accepted";
  }

  /** Sends a control message without waiting for an answer. */
  tell(message: Control): void {
    this.bus.publish(this.subjects.control(ids.worker), encode("control", message));
  }

  /** Sends a control message; answers the reply. */
  control(message: Control): Promise<Uint8Array> {
    return this.ask(this.subjects.control(ids.worker), encode("control", message));
  }

  /** Sends bytes; answers the reply, for which the clock need not move. */
  async ask(subject: string, bytes: Uint8Array): Promise<Uint8Array> {
    const reply = await this.bus.request(subject, bytes, { timeoutMs: 1000 });
    assert.ok(reply.ok, JSON.stringify(reply));
    return reply.value;
  }

  /** A frontend that reads everything and renews what has not ended for it, every 500 ms. */
  renewing(frontend: InstanceId = ids.frontend): Disposable {
    return this.clock.every(500, () => {
      const streams = [...this.heard]
        .filter(([key, { ends }]) => key.startsWith(frontend) && ends.length === 0)
        .map(([key, { tokens }]): [number, number] => [Number(key.split(".")[1]), tokens.length]);
      this.tell({ op: "renew", frontend, streams });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shell[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
  }

  #frame(frontend: InstanceId, payload: Uint8Array): void {
    const frame = decodeStepFrame(payload);
    assert.ok(frame.ok);
    assert.equal(frame.value.worker, ids.worker);
    this.frames.push({ frontend, entries: frame.value.entries });
    for (const { tag, firstIndex, tokens, extra } of frame.value.entries) {
      const heard = this.of(tag, frontend);
      const skip = heard.tokens.length - firstIndex;
      if (skip < 0) heard.gaps.push(firstIndex);
      else heard.tokens.push(...tokens.slice(skip));
      if (extra?.end !== undefined) heard.ends.push(extra.end);
    }
  }
}

/** The request id of a stream of these tests. */
export function requestIdOf(stream: number): RequestId {
  return stream.toString(16).padStart(32, "0") as RequestId;
}

/** The key of a stream of these tests. */
export function keyOf(stream: number) {
  return { requestId: requestIdOf(stream), attempt: 0, leg: 0 };
}

function requestOf(stream: number): GenerateRequest {
  const tokens = Uint32Array.from({ length: 40 }, (_, i) => 3 + (i * 7 + stream * 13) % 500);
  return {
    ...keyOf(stream),
    tag: stream,
    frontend: ids.frontend,
    model: modelName,
    tokens: new Uint8Array(tokens.buffer),
    emitted: 0,
    choice: 0,
    sampling: {
      ...greedySampling,
      seedHi: 1,
      seedLo: 2,
    },
    stop: { maxTokens: 20, minTokens: 0, stopTokenIds: [], ignoreEos: false },
    tenantSalt: "",
    adapter: "",
    priority: 0,
    remainingMs: 600_000,
  };
}
