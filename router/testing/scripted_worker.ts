import {
  decode,
  encode,
  encodeKvEvents,
  encodeRecord,
  fail,
  keys,
  limits,
  subjects as subjectsOf,
  u32sOf,
  xxh64,
} from "@pixii/wire";
import type { Control, Failure, HashList, KvEvent, LoadReport, ModelCard } from "@pixii/wire";
import type { Bus, Clock, Registration, Registry } from "@pixii/runtime";
import { Sha256 } from "../digest.ts";
import { reportOf } from "./samples.ts";

/** What goes wrong at a scripted worker. */
export interface WorkerScript {
  /** Batches are numbered and held, and not published. */
  losesBatches: boolean;
  /** No reports. */
  isSilent: boolean;
  /** The next snapshots are refused with this. */
  refuse: Failure | undefined;
  /** The next snapshots have a wrong digest. */
  corrupts: boolean;
  /** Snapshots hold what was only pretended, too. */
  insists: boolean;
  /** Audits are refused. */
  isSecretive: boolean;
  /** Bytes of a part. */
  partBytes: number;
  /** Fields of the report that are not so. */
  report: Partial<LoadReport>;
}

/** A worker without an engine: card, reports, KV events and snapshots as the real one sends them. */
export class ScriptedWorker {
  readonly card: ModelCard;
  readonly script: WorkerScript = {
    ...{ losesBatches: false, isSilent: false, refuse: undefined, corrupts: false },
    ...{ insists: true, isSecretive: false, partBytes: limits.partBytes, report: {} },
  };
  /** Stream keys that it runs. */
  readonly streams = new Set<string>();
  /** Snapshots and parts that were asked for. */
  readonly asked = { snapshots: 0, parts: 0, audits: 0 };
  readonly #bus: Bus;
  readonly #registry: Registry;
  readonly #namespace: string;
  readonly #clock: Clock;
  readonly #held = new Map<number, { readonly hi: number; readonly lo: number }>();
  /** Numbers that are told of and not held. */
  readonly #pretended = new Set<number>();
  readonly #frozen = new Map<number, Uint8Array>();
  readonly #open: Disposable[] = [];
  #registration: Registration | undefined;
  #number = 0;
  #nextBlock = 1;
  #nextSnapshot = 1;

  constructor(
    world: { bus: Bus; registry: Registry; clock: Clock; namespace?: string },
    card: ModelCard,
  ) {
    this.card = card;
    this.#bus = world.bus;
    this.#registry = world.registry;
    this.#clock = world.clock;
    this.#namespace = world.namespace ?? "default";
  }

  /** Block copies held. */
  get blocks(): number {
    return this.#held.size;
  }

  /** Number of the last batch. */
  get number(): number {
    return this.#number;
  }

  /** Serves its control subject, puts its card, and reports from now on. */
  async open(): Promise<void> {
    const subject = subjectsOf(this.#namespace).control(this.card.instance);
    this.#open.push(
      this.#bus.serve(subject, (bytes) => this.#control(bytes)),
      this.#clock.every(limits.loadEveryMs, () => this.report()),
    );
    const key = keys(this.#namespace).model(this.card.hash, this.card.instance);
    const put = await this.#registry.register(key, encodeRecord("model", this.card));
    if (!put.ok) throw new Error(put.error.message);
    this.#registration = put.value;
    this.report();
  }

  /** Takes its card out of the registry. */
  async leave(): Promise<void> {
    await this.#registration?.[Symbol.asyncDispose]();
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    for (const one of this.#open.splice(0)) one[Symbol.dispose]();
    await this.leave();
  }

  /** Publishes a load report. */
  report(): void {
    if (this.script.isSilent) return;
    const digest = { hi: 0, lo: 0 };
    for (const key of this.streams) {
      const hash = xxh64(new TextEncoder().encode(key));
      digest.hi = (digest.hi ^ hash.hi) >>> 0;
      digest.lo = (digest.lo ^ hash.lo) >>> 0;
    }
    const report = reportOf(0, {
      ...{ instance: this.card.instance, model: this.card.hash, running: this.streams.size },
      ...{ kvEventNumber: this.#number, activeStreams: this.streams.size },
      ...{ activeDigestHi: digest.hi, activeDigestLo: digest.lo },
      ...this.script.report,
    });
    const subject = subjectsOf(this.#namespace).load(this.card.instance);
    this.#bus.publish(subject, encode("loadReport", report));
  }

  /** Stores another copy of each block. */
  store(list: HashList): void {
    const numbers = Uint32Array.from(list.lo, () => this.#nextBlock++);
    numbers.forEach((number, i) => this.#held.set(number, { hi: list.hi[i], lo: list.lo[i] }));
    this.#publish([{ op: "stored", parent: 0, numbers, hi: list.hi, lo: list.lo }]);
  }

  /** Tells of another copy of each block, and stores none. */
  pretend(list: HashList): void {
    for (let i = 0; i < list.lo.length; i++) this.#pretended.add(this.#nextBlock + i);
    this.store(list);
  }

  /** Counts its events from the start again, under the same epoch, with nothing stored. */
  countBack(): void {
    this.#held.clear();
    this.#number = 0;
  }

  /** Removes one copy of each block that is held. */
  remove(list: HashList): void {
    const numbers: number[] = [];
    const wished = new Map<number, number[]>();
    list.lo.forEach((lo, i) => wished.set(lo, [...wished.get(lo) ?? [], list.hi[i]]));
    for (const [number, { hi, lo }] of this.#held) {
      const at = wished.get(lo)?.indexOf(hi) ?? -1;
      if (at < 0) continue;
      wished.get(lo)!.splice(at, 1);
      this.#held.delete(number);
      numbers.push(number);
      if (numbers.length === list.lo.length) break;
    }
    this.#publish([{ op: "removed", numbers: Uint32Array.from(numbers) }]);
  }

  #publish(events: readonly KvEvent[]): void {
    this.#number += 1;
    if (this.script.losesBatches) return;
    const subject = subjectsOf(this.#namespace).kvEvents(this.card.instance);
    this.#bus.publish(subject, encodeKvEvents(this.#batch(events)));
  }

  #batch(events: readonly KvEvent[]) {
    const { instance, hash, blockSize } = this.card;
    return {
      ...{ owner: instance, epoch: instance, model: hash, dpRank: 0, tier: "device" as const },
      ...{ cacheGroup: 0, blockSize, number: this.#number, events },
    };
  }

  #control(bytes: Uint8Array): Uint8Array {
    const message = decode("control", bytes);
    if (!message.ok) return encode("refusal", { error: message.error });
    const { value } = message;
    if (value.op === "snapshot") return this.#freeze();
    if (value.op === "audit") return this.#audit(value);
    if (value.op !== "snapshot-part") return new Uint8Array();
    this.asked.parts += 1;
    const whole = this.#frozen.get(value.id);
    if (whole === undefined) return encode("refusal", { error: fail("not_found", "gone").error });
    const { offset } = value;
    const data = whole.subarray(offset, offset + this.script.partBytes);
    return encode("part", { offset, totalBytes: whole.byteLength, data });
  }

  #audit({ hi, lo }: Extract<Control, { op: "audit" }>): Uint8Array {
    this.asked.audits += 1;
    if (this.script.isSecretive) {
      return encode("refusal", { error: fail("not_found", "no audits here").error });
    }
    const list = { hi: u32sOf(hi), lo: u32sOf(lo) };
    const real = [...this.#held].filter(([number]) => !this.#pretended.has(number));
    const held = Uint8Array.from(
      list.lo,
      (low, i) => real.some(([, block]) => block.lo === low && block.hi === list.hi[i]) ? 1 : 0,
    );
    return encode("auditAnswer", { epoch: this.card.instance, number: this.#number, held });
  }

  #freeze(): Uint8Array {
    this.asked.snapshots += 1;
    if (this.script.refuse !== undefined) return encode("refusal", { error: this.script.refuse });
    const told = [...this.#held].filter(([number]) =>
      this.script.insists || !this.#pretended.has(number)
    );
    const events = Array.from(told, ([number, { hi, lo }]): KvEvent => ({
      ...{ op: "stored", parent: 0, numbers: Uint32Array.of(number) },
      ...{ hi: Uint32Array.of(hi), lo: Uint32Array.of(lo) },
    }));
    const number = this.#number;
    const whole = encodeKvEvents(this.#batch(events), limits.assembledBytes);
    const id = this.#nextSnapshot++;
    this.#frozen.set(id, whole);
    const hash = new Sha256();
    hash.update(whole);
    const digest = this.script.corrupts ? "00".repeat(32) : hash.hex();
    const epoch = this.card.instance;
    return encode("snapshotHead", { id, epoch, number, totalBytes: whole.byteLength, digest });
  }
}
