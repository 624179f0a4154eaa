import { modelHashOf } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { recordingLog, startOfProcess, systemClock } from "@pixii/runtime";
import { startKvbmChild } from "@pixii/kvbm/testing";
import { StoreLink } from "@pixii/workers/testing";
import { median, quantile } from "./figure.ts";
import type { Figure } from "./figure.ts";

/** What the rows of the socket between a worker and its kvbm are measured on. */
export interface KvSocketOptions {
  /** Blocks of a batch; no more than a worker may have reserved. */
  readonly batch: number;
  readonly rounds: number;
}

/** Blocks of a round that goes in batches, and commits of a round that come one by one. */
const perRound = 64_000;
const singles = 2_000;
const slotsAtHand = 32;

/**
 * `kv.batched`: blocks a second from reserve to commit over the socket to a kvbm in another process, a batch with a question
 * each; the next slots are asked for together with the commit, as a worker does. `kv.commit_p50`: one block's commit, there
 * and back, with nothing else under way. The pool is full, so every block drives out another; no block is written.
 */
export async function kvSocketFigures(options: KvSocketOptions): Promise<readonly Figure[]> {
  const { rounds, batch } = options;
  await using kvbm = await startKvbmChild(["--kv-host", "64MiB", "--kv-peer-listen", "off"]);
  using link = await openLink(kvbm.socket);
  void link.run({ told: () => {}, late: () => {} });
  const writer = new Writer(link);
  await writer.batches(2 * perRound, batch);
  const blocksPerSecond: number[] = [];
  const p50s: number[] = [];
  const p99s: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    await writer.batches(perRound, batch);
    blocksPerSecond.push(perRound / ((performance.now() - startedMs) / 1_000));
    const tookUs = await writer.singles(singles);
    p50s.push(median(tookUs));
    p99s.push(quantile(tookUs, 0.99));
  }
  const figure = (figure: string, runs: readonly number[], unit: string): Figure => ({
    ...{ figure, value: median(runs), unit, better: unit === "us" ? "lower" : "higher", runs },
  });
  return [
    figure("kv.batched", blocksPerSecond, "1/s"),
    figure("kv.commit_p50", p50s, "us"),
    figure("kv.commit_p99", p99s, "us"),
  ];
}

/** Commits blocks that no one had before, each the child of the one before it, in prompts of 64. */
class Writer {
  readonly #link: StoreLink;
  #block = 0;

  constructor(link: StoreLink) {
    this.#link = link;
  }

  async batches(blocks: number, batch: number): Promise<void> {
    let slots = await this.#reserve(batch);
    for (let done = 0; done < blocks;) {
      const words = this.#entries(slots);
      const [committed, next] = await Promise.all([
        this.#link.ask("commit", words),
        this.#reserve(batch),
      ]);
      mustBeNew(committed.ok ? committed.value : undefined, slots.length);
      done += slots.length;
      slots = next;
    }
    this.#link.tell("giveUp", Uint32Array.from(slots));
  }

  /** Microseconds of each commit; the slots are reserved before, as a worker has them at hand. */
  async singles(count: number): Promise<number[]> {
    const tookUs: number[] = [];
    while (tookUs.length < count) {
      for (const slot of await this.#reserve(slotsAtHand)) {
        const words = this.#entries([slot]);
        const startedMs = performance.now();
        const committed = await this.#link.ask("commit", words);
        tookUs.push((performance.now() - startedMs) * 1_000);
        mustBeNew(committed.ok ? committed.value : undefined, 1);
      }
    }
    return tookUs;
  }

  async #reserve(count: number): Promise<number[]> {
    const rows = await this.#link.ask("reserve", new Uint32Array(), { arg: count });
    if (!rows.ok) throw new Error(rows.error.message);
    const slots = [...rows.value].filter((_, i) => i % 2 === 0);
    if (slots.length === 0) throw new Error("no slot is to be had");
    return slots;
  }

  #entries(slots: readonly number[]): Uint32Array {
    const words = new Uint32Array(6 * slots.length);
    slots.forEach((slot, i) => {
      const number = ++this.#block;
      const index = number % 64;
      const parent = index === 0 ? 0 : number - 1;
      words.set([slot, keyLo(number), number, keyLo(parent), parent, index], 6 * i);
    });
    return words;
  }
}

function keyLo(number: number): number {
  return Math.imul(number, 0x9e3779b1);
}

/** Rows of `committed`: every slot holds its block, and none was there before. */
function mustBeNew(rows: Uint32Array | undefined, count: number): void {
  if (rows === undefined || rows.length !== 2 * count) throw new Error("a commit failed");
  for (let i = 0; i < rows.length; i += 2) {
    if (rows[i] === 0 || rows[i + 1] !== 0) throw new Error("a commit was refused");
  }
}

async function openLink(socket: string): Promise<StoreLink> {
  const hello = {
    ...{ instance: "00000000000000aa" as InstanceId, pid: Deno.pid },
    ...{ processStart: startOfProcess(Deno.pid)!, model: modelHashOf("m") },
    ...{ layoutFingerprint: "bench", blockSize: 64, blockBytes: 4_096 },
  };
  const clock = systemClock();
  const opened = await StoreLink.open(socket, { hello, clock, log: recordingLog() });
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
}
