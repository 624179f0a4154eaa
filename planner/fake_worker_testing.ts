import { decodeRecord, encode, encodeRecord, keys, modelHashOf, subjects } from "@pixii/wire";
import type { InstanceId, LoadReport, ModelCard, Role, RoleFlip } from "@pixii/wire";
import type { Bus, Clock, Registry } from "@pixii/runtime";

/** The model of these tests, where a card names no other. */
export const modelName = "m";

/** A worker that follows wishes as a real one does, and takes `drainMs` for each. */
export class FakeWorker implements Disposable {
  readonly instance: InstanceId;
  readonly model: string;
  role: Role;
  flip: RoleFlip | undefined;
  /** Every change of role that it made. */
  readonly flips: string[] = [];
  /** It never drains: changes are given up after this. */
  giveUpMs: number | undefined;
  load: Partial<LoadReport> = {};
  readonly #parts: { bus: Bus; registry: Registry; clock: Clock; drainMs: number };
  readonly #open: Disposable[] = [];

  private constructor(
    { instance, name, role }: ModelCard,
    parts: { bus: Bus; registry: Registry; clock: Clock; drainMs: number },
  ) {
    this.instance = instance;
    this.model = name;
    this.role = role;
    this.#parts = parts;
  }

  /** `number`: 0..255, its instance. */
  static async open(
    number: number,
    role: Role,
    parts: { bus: Bus; registry: Registry; clock: Clock; drainMs: number },
    card: Partial<ModelCard> = {},
  ): Promise<FakeWorker> {
    const instance = number.toString(16).padStart(16, "0") as InstanceId;
    const full = { ...cardOf(instance, role), ...card };
    full.hash = modelHashOf(full.name);
    const worker = new FakeWorker(full, parts);
    const { registry, clock } = parts;
    const names = keys("default");
    await registry.put(names.model(full.hash, instance), encodeRecord("model", full));
    const key = names.desired(instance);
    const watched = await registry.watch(key, {
      snapshot: (entries) => entries.forEach(({ value }) => worker.#wish(value)),
      change: (change) => {
        if (change.kind === "put") worker.#wish(change.entry.value);
      },
    });
    if (watched.ok) worker.#open.push(watched.value);
    worker.#open.push(clock.every(250, () => worker.#report()));
    worker.#report();
    return worker;
  }

  /** Says that it drains, and is gone after its time. */
  async leave(): Promise<void> {
    const { registry, clock, drainMs } = this.#parts;
    this.load = { ...this.load, draining: true };
    this.#report();
    await clock.sleep(drainMs);
    await registry.remove(keys("default").model(modelHashOf(this.model), this.instance));
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const one of this.#open.splice(0)) one[Symbol.dispose]();
  }

  #wish(text: string): void {
    const wish = decodeRecord("desired", text);
    if (!wish.ok || wish.value.id === this.flip?.id) return;
    const { id, role: to } = wish.value;
    this.flip = { id, to, state: "flipping" };
    const { clock, drainMs } = this.#parts;
    this.#open.push(clock.timer(this.giveUpMs ?? drainMs, () => {
      if (this.flip?.id !== id) return;
      if (this.giveUpMs !== undefined) {
        this.flip = { id, to, state: "gave-up", reason: "2 streams still ran" };
      } else {
        this.flips.push(`${this.role}>${to}`);
        this.role = to;
        this.flip = { id, to, state: "done" };
      }
      this.#report();
    }));
    this.#report();
  }

  #report(): void {
    const { bus } = this.#parts;
    const report: LoadReport = {
      ...{ instance: this.instance, dpRank: 0, model: modelHashOf(this.model), role: this.role },
      ...{ flip: this.flip, draining: false, running: 0, waiting: 0, maxSeqs: 8 },
      ...{ prefillTokens: 0, activeBlocks: 0, cachedBlocks: 0, totalBlocks: 128, stepCount: 0 },
      ...{ stepAgeMs: 0, kvEventNumber: 0, activeStreams: 0, activeDigestHi: 0 },
      ...{ activeDigestLo: 0, prefillRate: 0, decodeRate: 0 },
      ...this.load,
    };
    bus.publish(subjects("default").load(this.instance), encode("loadReport", report));
  }
}

function cardOf(instance: InstanceId, role: Role): ModelCard {
  return {
    ...{ name: modelName, hash: modelHashOf(modelName), instance, engine: "sim", role },
    ...{ modelDigest: "ab", contextLength: 8192, blockSize: 64, totalBlocks: 128 },
    ...{ kvBytesPerToken: 1, layoutFingerprint: "f", reuse: "blocks", dpSize: 1, tpSize: 1 },
    ...{ slidingWindow: 0, maxSeqs: 8, vocabSize: 100, artifactDigest: "cd", artifactBytes: 1 },
    ...{ eosTokenIds: [2], createdAt: 0 },
  };
}
