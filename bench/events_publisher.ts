/**
 * The publisher of `bench:events`, a process of its own: engines' KV events over a raw NATS connection. In turn per worker a
 * message that stores a run and, once the worker is full, one that removes the oldest. The first hash of a stored run is
 * the time it was sent, in microseconds. A byte on stdin allows `grant` more messages.
 * Flags: --port N --namespace X --blocks N --messages N --rate N (messages a second, 0: as allowed) --workers N.
 */
import { parseArgs } from "node:util";
import { encodeKvEvents, kvEventsHeadBytes, subjects } from "@pixii/wire";
import type { InstanceId, ModelHash } from "@pixii/wire";
import { grant, windowMessages } from "./events_flow.ts";
import { spread } from "./seeded.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    port: { type: "string", default: "4222" },
    namespace: { type: "string", default: "bench" },
    model: { type: "string", default: "" },
    blocks: { type: "string", default: "128" },
    messages: { type: "string", default: "100000" },
    rate: { type: "string", default: "0" },
    workers: { type: "string", default: "8" },
  },
});
const [blocks, messages, rate] = [Number(flags.blocks), Number(flags.messages), Number(flags.rate)];
/** Stored runs of a worker before its oldest go. */
const heldRuns = 128;
/** Most bytes of one write. */
const chunkBytes = 128 * 1024;

/** One worker's two messages, patched and sent again and again. */
class Engine {
  readonly #stored: { bytes: Uint8Array; view: DataView };
  readonly #removed: { bytes: Uint8Array; view: DataView };
  readonly #lead: { stored: Uint8Array; removed: Uint8Array };
  readonly #seed: number;
  #number = 1;
  #runs = 0;
  #gone = 0;

  constructor(worker: number) {
    this.#seed = worker;
    const owner = worker.toString(16).padStart(16, "0") as InstanceId;
    const head = {
      ...{ owner, epoch: owner, model: flags.model as ModelHash, dpRank: 0 },
      ...{ tier: "device" as const, cacheGroup: 0, blockSize: 16, number: 1 },
    };
    const numbers = new Uint32Array(blocks);
    const stored = { op: "stored" as const, parent: 0, numbers, hi: numbers, lo: numbers };
    const frame = (bytes: Uint8Array) => ({ bytes, view: new DataView(bytes.buffer) });
    this.#stored = frame(encodeKvEvents({ ...head, events: [stored] }));
    this.#removed = frame(encodeKvEvents({ ...head, events: [{ op: "removed", numbers }] }));
    const subject = subjects(flags.namespace).kvEvents(owner);
    const lead = (bytes: Uint8Array) =>
      new TextEncoder().encode(`PUB ${subject} ${bytes.length}\r\n`);
    this.#lead = { stored: lead(this.#stored.bytes), removed: lead(this.#removed.bytes) };
  }

  /** The next message as NATS takes it: what comes before it, and it. */
  next(): { lead: Uint8Array; bytes: Uint8Array } {
    const isRemoval = this.#runs - this.#gone > heldRuns;
    const { bytes, view } = isRemoval ? this.#removed : this.#stored;
    view.setUint32(28, this.#number++, true);
    let at = kvEventsHeadBytes + 8;
    if (isRemoval) {
      const first = 1 + blocks * this.#gone++;
      // Ends of prompts first.
      for (let i = blocks - 1; i >= 0; i--, at += 4) view.setUint32(at, first + i, true);
      return { lead: this.#lead.removed, bytes };
    }
    const first = 1 + blocks * this.#runs++;
    at += 4;
    for (let i = 0; i < blocks; i++, at += 12) {
      view.setUint32(at, first + i, true);
      view.setUint32(at + 4, spread(first + i), true);
      view.setUint32(at + 8, spread(first + i + 0x1234567 * this.#seed), true);
    }
    const sentUs = (performance.timeOrigin + performance.now()) * 1000;
    view.setUint32(kvEventsHeadBytes + 16, sentUs % 4294967296, true);
    view.setUint32(kvEventsHeadBytes + 20, this.#seed, true);
    return { lead: this.#lead.stored, bytes };
  }
}

const engines = Array.from({ length: Number(flags.workers) }, (_, i) => new Engine(i + 1));
const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(flags.port) });
connection.setNoDelay(true);
void swallow();
await write(new TextEncoder().encode(`CONNECT {"verbose":false,"pedantic":false}\r\n`));

const flow = { allowed: windowMessages, wake: () => {} };
void listen();
const buffer = new Uint8Array(chunkBytes + 600_000);
const end = new TextEncoder().encode("\r\n");
await publish();
// The end of stdin is the end of this.
await new Promise<void>((resolve) => flow.wake = () => flow.allowed === Infinity && resolve());
connection.close();
Deno.exit(0);

/** Sends all messages, as the receiver and the rate allow. */
async function publish(): Promise<void> {
  const started = performance.now();
  let sent = 0;
  while (sent < messages) {
    let most = Math.min(messages, flow.allowed) - sent;
    if (rate > 0) {
      most = Math.min(most, Math.floor((performance.now() - started) * rate / 1000) - sent);
    }
    if (most <= 0) {
      if (rate > 0) await new Promise((resolve) => setTimeout(resolve, 1));
      else await new Promise<void>((resolve) => flow.wake = resolve);
      continue;
    }
    let at = 0;
    for (; most > 0 && at < chunkBytes; most--, sent++) {
      const { lead, bytes } = engines[sent % engines.length].next();
      for (const part of [lead, bytes, end]) {
        buffer.set(part, at);
        at += part.length;
      }
    }
    await write(buffer.subarray(0, at));
  }
}

async function write(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Reads what the server says and answers its pings. */
async function swallow(): Promise<void> {
  const bytes = new Uint8Array(4096);
  while (true) {
    const count = await connection.read(bytes).catch(() => null);
    if (count === null) return;
    const text = new TextDecoder().decode(bytes.subarray(0, count));
    if (text.includes("PING")) await write(new TextEncoder().encode("PONG\r\n"));
    if (text.includes("-ERR")) console.error(text);
  }
}

async function listen(): Promise<void> {
  for await (const bytes of Deno.stdin.readable) {
    flow.allowed += grant * bytes.length;
    flow.wake();
  }
  flow.allowed = Infinity;
  flow.wake();
}
