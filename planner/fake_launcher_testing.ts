import { decodeRecord, keys, missingRoles } from "@pixii/wire";
import type { ScaleRecord } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type { TestHost } from "@pixii/runtime/testing";
import { FakeWorker } from "./fake_worker_testing.ts";

/** Starts and stops fake workers as scale records say, in `startMs` and `drainMs`, and keeps what it saw. */
export class FakeLauncher implements Disposable {
  readonly workers: FakeWorker[] = [];
  /** `SECONDS start MODEL`, `SECONDS up MODEL`, `SECONDS stop MODEL`, `SECONDS gone MODEL`. */
  readonly log: string[] = [];
  /** Why each was asked for. */
  readonly reasons: string[] = [];
  /** Most workers that held a GPU at a time. */
  most = 0;
  readonly #host: TestHost;
  readonly #clock: Clock;
  readonly #times: { readonly startMs: number; readonly drainMs: number };
  readonly #holds = new Map<string, number>();
  readonly #leaving = new Set<FakeWorker>();
  readonly #open: Disposable[] = [];
  #made = 0;

  private constructor(
    host: TestHost,
    options: { readonly clock: Clock; readonly startMs: number; readonly drainMs: number },
  ) {
    this.#host = host;
    this.#clock = options.clock;
    this.#times = options;
  }

  /** Follows the records that there are and will be. */
  static async open(
    host: TestHost,
    options: { readonly clock: Clock; readonly startMs: number; readonly drainMs: number },
  ): Promise<FakeLauncher> {
    const launcher = new FakeLauncher(host, options);
    const { registry } = host.connect();
    const watched = await registry.watch(keys("default").scales, {
      snapshot: (entries) => entries.forEach(({ value }) => launcher.#follow(value)),
      change: (change) => {
        if (change.kind === "put") launcher.#follow(change.entry.value);
      },
    });
    if (watched.ok) launcher.#open.push(watched.value);
    return launcher;
  }

  /** Starts a worker of a model, as an operator does. */
  async start(model: string): Promise<FakeWorker> {
    this.#hold(model, 1);
    return await this.#up(model, "both");
  }

  /** Workers of a model that take work. */
  of(model: string): readonly FakeWorker[] {
    return this.workers.filter((one) => one.model === model && !this.#leaving.has(one));
  }

  [Symbol.dispose](): void {
    for (const one of [...this.#open, ...this.workers]) one[Symbol.dispose]();
  }

  #follow(text: string): void {
    const record = decodeRecord("scale", text);
    if (!record.ok) throw new Error(record.error.message);
    this.reasons.push(record.value.reason);
    for (const worker of this.of(record.value.model)) {
      if (record.value.stop.includes(worker.instance)) void this.#stop(worker);
    }
    this.#startMissing(record.value);
  }

  #startMissing(record: ScaleRecord): void {
    const { model, workers } = record;
    const there = this.of(model).map(({ role }) => role);
    const coming = (this.#holds.get(model) ?? 0) - this.#holdersOf(model);
    const count = Math.max(0, workers - there.length - coming);
    for (const role of missingRoles(record, { there, count })) {
      this.#say("start", model);
      this.#hold(model, 1);
      this.#open.push(this.#clock.timer(this.#times.startMs, () => void this.#up(model, role)));
    }
  }

  #holdersOf(model: string): number {
    return this.workers.filter((one) => one.model === model).length;
  }

  async #up(model: string, role: FakeWorker["role"]): Promise<FakeWorker> {
    const parts = { ...this.#host.connect(), clock: this.#clock, drainMs: this.#times.drainMs };
    const worker = await FakeWorker.open(++this.#made, role, parts, { name: model });
    this.workers.push(worker);
    this.#say("up", model);
    return worker;
  }

  async #stop(worker: FakeWorker): Promise<void> {
    this.#leaving.add(worker);
    this.#say("stop", worker.model);
    await worker.leave();
    this.workers.splice(this.workers.indexOf(worker), 1);
    this.#hold(worker.model, -1);
    this.#say("gone", worker.model);
  }

  #hold(model: string, more: number): void {
    this.#holds.set(model, (this.#holds.get(model) ?? 0) + more);
    const all = [...this.#holds.values()].reduce((sum, one) => sum + one, 0);
    this.most = Math.max(this.most, all);
  }

  #say(what: string, model: string): void {
    this.log.push(`${(this.#clock.nowMs() / 1_000).toFixed(1)} ${what} ${model}`);
  }
}
