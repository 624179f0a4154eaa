import assert from "node:assert/strict";
import { layoutHash, payloadOffset } from "@pixii/wire";
import { SharedMemory } from "@pixii/runtime";
import type { RestorePlan } from "../core/host_restore.ts";
import { kvBytesPerToken, layersOf } from "../gguf/kv_bytes.ts";
import { readGguf } from "../gguf/reader.ts";
import type { MappedPool } from "../kv_store/kv_store.ts";
import { LlamaContext, sequencesOf } from "./context.ts";
import { HostBlocks } from "./host_blocks.ts";
import { kvElementBytes, kvTypes } from "./kv_type.ts";
import type { KvTypeName } from "./kv_type.ts";
import { openLibrary } from "./library.ts";
import { LlamaModel } from "./model.ts";
import { shapeOfOneToken, stateBytes } from "./state_blob.ts";

const blockSize = 64;
const pageBytes = 4096;
/** Slots of the cache: the prompt's, and the one that blocks are taken back to. */
const source = 0;
const target = 1;
const salt = { adapterDigest: "", tenantSalt: "" };

/**
 * A prompt in a real cache and a pool beside it, to measure what moving its blocks costs. One in a process, on a thread that
 * has nothing else to do. Sizes as a worker has them.
 */
export class BlockTrial implements Disposable {
  readonly blocks: number;
  readonly blockBytes: number;
  readonly #context: LlamaContext;
  readonly #model: LlamaModel;
  readonly #memory: SharedMemory;
  readonly #host: HostBlocks;
  readonly #tokens: readonly number[];
  readonly #pages: number;

  private constructor(parts: {
    readonly context: LlamaContext;
    readonly model: LlamaModel;
    readonly memory: SharedMemory;
    readonly host: HostBlocks;
    readonly tokens: readonly number[];
    readonly blockBytes: number;
    readonly pages: number;
  }) {
    this.#context = parts.context;
    this.#model = parts.model;
    this.#memory = parts.memory;
    this.#host = parts.host;
    this.#tokens = parts.tokens;
    this.blocks = parts.tokens.length / blockSize;
    this.blockBytes = parts.blockBytes;
    this.#pages = parts.pages;
  }

  /** Loads the model, computes `tokens` tokens (a multiple of 128) and makes a pool with a slot per block at `poolPath`. */
  static async open(
    path: string,
    options: {
      readonly tokens: number;
      readonly cells: number;
      readonly poolPath: string;
      readonly nowMs: () => number;
      readonly kvType?: KvTypeName;
    },
  ): Promise<BlockTrial> {
    const gguf = await readGguf(path);
    assert.ok(gguf.ok);
    const kvBytes = kvBytesPerToken(gguf.value, kvElementBytes(options.kvType ?? "f16"));
    const layers = layersOf(gguf.value);
    assert.ok(kvBytes !== undefined && layers !== undefined);
    const { kvType = "f16" } = options;
    const { context, model, slidingWindow } = await openContext(path, options.cells, kvType);
    const state = slidingWindow > 0 ? context.stateOfOneToken() : undefined;
    const shape = slidingWindow > 0
      ? shapeOfOneToken(state!)
      : { layers, kvBytesPerToken: kvBytes, rowType: kvTypes[kvType].ggml };
    assert.ok(shape !== undefined);
    const tokens = Array.from({ length: options.tokens }, (_, i) => 10 + (i * 7919) % 480);
    compute(context, tokens);
    const blockBytes = stateBytes(blockSize, shape);
    const pages = Math.ceil((payloadOffset(blockSize) + blockBytes) / pageBytes);
    const unitBytes = pages * pageBytes;
    const bytes = unitBytes * options.tokens / blockSize;
    const made = await SharedMemory.create(options.poolPath, { bytes, unitBytes: bytes });
    assert.ok(made.ok, JSON.stringify(made));
    const memory = made.value;
    memory.view(0, bytes).fill(0);
    const host = new HostBlocks(options.nowMs);
    const pool: MappedPool = {
      ...{ generation: 1, kvbm: "00000000000000bb" as MappedPool["kvbm"] },
      ...{ path: options.poolPath, bytes, address: memory.address, pageBytes },
      slotBytes: unitBytes,
    };
    host.open(pool, {
      ...{ layout: layoutHash("trial"), shape, blockSize, rowBytes: 0, prefilledOnly: false },
    });
    return new BlockTrial({ context, model, memory, host, tokens, blockBytes, pages });
  }

  /** Cuts every block into the pool: the calls of llama.cpp behind their guard, and nothing else. */
  cut(): void {
    for (let block = 0; block < this.blocks; block++) {
      const offset = block * this.#pages * pageBytes + payloadOffset(blockSize);
      const pointer = this.#memory.pointer(offset, this.blockBytes);
      const start = block * blockSize;
      const place = { pointer, bytes: this.blockBytes };
      assert.ok(this.#context.cut({ slot: source, start, end: start + blockSize }, place));
    }
  }

  /** Cuts the first block into memory that is `lacks` bytes too short for it: what the guard said, and the bytes behind. */
  cutShort(lacks: number): { readonly isCut: boolean; readonly behind: Uint8Array } {
    const bytes = this.blockBytes - lacks;
    const offset = payloadOffset(blockSize);
    const behind = this.#memory.view(offset + bytes, lacks).fill(0xab);
    const place = { pointer: this.#memory.pointer(offset, bytes), bytes };
    const isCut = this.#context.cut({ slot: source, start: 0, end: blockSize }, place);
    return { isCut, behind: behind.slice() };
  }

  /** Keeps every block as a worker does: slot, cut, checksum, header. */
  keep(): void {
    const slots = Uint32Array.from({ length: this.blocks }, (_, i) => this.blocks - i);
    const pages = slots.map((slot) => (slot - 1) * this.#pages);
    this.#host.beginStep();
    this.#host.grant({ generation: 1, slots, pages });
    for (let index = 0; index < this.blocks; index++) {
      const tokens = Uint32Array.from(this.#blockTokens(index));
      const hashes = { hi: index, lo: 1, parentHi: index - 1 >>> 0, parentLo: 1 };
      const block = { ...hashes, index, tokens, salt, decoded: false };
      this.#host.offload(this.#context, { op: "offload", slot: source, block });
    }
    const report = this.#host.takeReport();
    assert.equal(report?.counts.offloaded, this.blocks);
  }

  /** Takes every block back as a worker does: header, checksum, shape, tokens, then into the cache; then drops them there. */
  restore(): void {
    this.#bringBack();
    this.#drop();
  }

  /** Logits of the token that follows the prompt, in bits: where the prompt was computed, and where its blocks came back. */
  voices(): { readonly computed: Uint32Array; readonly restored: Uint32Array } {
    const computed = this.#next(source);
    this.#bringBack();
    const restored = this.#next(target);
    this.#drop();
    return { computed, restored };
  }

  /** Computes one token behind the prompt of a slot, and takes it away again. */
  #next(slot: number): Uint32Array {
    const at = this.#tokens.length;
    this.#context.begin();
    this.#context.add(11, at, slot, true);
    assert.equal(this.#context.decode(), 0);
    const logits = this.#context.logits(0).slice();
    this.#context.apply([{ op: "remove", slot, start: at }], () => {});
    return new Uint32Array(logits.buffer);
  }

  #bringBack(): void {
    for (let index = 0; index < this.blocks; index++) {
      this.#host.beginStep();
      assert.ok(this.#host.restore(this.#context, this.#plan(index)) !== undefined, `${index}`);
    }
  }

  #drop(): void {
    this.#context.apply([{ op: "remove", slot: target, start: 0 }], () => {});
    this.#host.takeReport();
  }

  [Symbol.dispose](): void {
    this.#context[Symbol.dispose]();
    this.#model[Symbol.dispose]();
    this.#memory.unlink();
    this.#memory[Symbol.dispose]();
  }

  #blockTokens(index: number): readonly number[] {
    return this.#tokens.slice(index * blockSize, (index + 1) * blockSize);
  }

  #plan(index: number): RestorePlan {
    // Of a sequence the restore looks at these alone.
    const sequence = { salt, host: { generation: 1 } } as unknown as RestorePlan["sequence"];
    return {
      ...{ sequence, slot: target, index, tokens: this.#blockTokens(index) },
      ...{ hi: index, lo: 1, parentHi: index - 1 >>> 0, parentLo: 1 },
      ...{ host: index + 1, page: index * this.#pages, isTail: false, end: undefined },
    };
  }
}

async function openContext(path: string, cells: number, kvType: KvTypeName) {
  const library = await openLibrary();
  assert.ok(library.ok, JSON.stringify(library));
  const loaded = LlamaModel.load(library.value, path);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const model = loaded.value;
  const facts = model.facts();
  assert.ok(facts.ok);
  const slots = 33;
  const { slidingWindow, vocabSize } = facts.value;
  const twins = slidingWindow > 0;
  const outputs = sequencesOf({ slots, twins });
  const context = LlamaContext.open(library.value, model, {
    sizes: { cells, slots, threads: 1, batch: 512, outputs, kvType: kvTypes[kvType].ggml, twins },
    vocabSize,
    abort: new Uint8Array(new SharedArrayBuffer(64)),
  });
  assert.ok(context.ok, JSON.stringify(context));
  return { context: context.value, model, slidingWindow };
}

function compute(context: LlamaContext, tokens: readonly number[]): void {
  const chunk = 128;
  for (let start = 0; start < tokens.length; start += chunk) {
    context.begin();
    for (let at = start; at < start + chunk; at++) context.add(tokens[at], at, source, false);
    assert.equal(context.decode(), 0);
  }
}

/** Folder of llama.cpp's libraries on this platform, for programs in C that make the same calls. */
export { librariesFolder } from "./library.ts";
