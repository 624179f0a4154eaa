import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { KvOp } from "../core/kv_op.ts";
import { patchedDefaults } from "./layout.ts";
import type { Library } from "./library.ts";
import { LogCapture } from "./log_capture.ts";
import type { LlamaModel } from "./model.ts";

/** Sizes of a context. */
export interface ContextSizes {
  /** KV cells, a multiple of 256. */
  readonly cells: number;
  /** Sequence ids, 2..256 (2..128 with `twins`); the last one is for moving blocks in and out. */
  readonly slots: number;
  /** ggml's number of the type of K and V. */
  readonly kvType: number;
  /**
   * Every slot has a twin that holds the same cells. A sliding window's cache takes cells outside the window for free as
   * soon as one sequence alone holds them; with its twin it keeps them, so that prompts and blocks stay whole.
   */
  readonly twins: boolean;
  readonly threads: number;
  /** Most tokens of one decode call. */
  readonly batch: number;
  /** Most rows of logits of one decode call. */
  readonly outputs: number;
}

/** Bytes in native memory. */
export interface NativeBytes {
  readonly pointer: Deno.PointerObject;
  readonly bytes: number;
}

/** llama.cpp's number of sequences for these sizes. */
export function sequencesOf({ slots, twins }: Pick<ContextSizes, "slots" | "twins">): number {
  return twins ? 2 * slots - 1 : slots;
}

function addressOf(pointer: Deno.PointerValue): bigint {
  return Deno.UnsafePointer.value(pointer);
}

/**
 * A context behind guards that make the calls on which llama.cpp asserts impossible: batches within bounds, slots below
 * n_seq_max, logits of flagged rows only. One call at a time: it belongs to one thread.
 */
export class LlamaContext implements Disposable {
  readonly sizes: ContextSizes;
  readonly #library: Library;
  readonly #vocabSize: number;
  #pointer: Deno.PointerObject | null;
  readonly #memory: Deno.PointerObject;
  /** Everything a batch points to, in one buffer that stays referenced. */
  readonly #arena: ArrayBuffer;
  readonly #batch: Uint8Array<ArrayBuffer>;
  readonly #count: Int32Array;
  readonly #tokens: Int32Array;
  readonly #positions: Int32Array;
  readonly #slotIds: Int32Array;
  readonly #flags: Int8Array;
  #rows = 0;
  #outputs = 0;
  /** Views of rows of logits, by address: llama.cpp reuses its few rows. */
  readonly #views = new Map<bigint, Float32Array>();

  private constructor(
    library: Library,
    pointer: Deno.PointerObject,
    options: { sizes: ContextSizes; vocabSize: number; memory: Deno.PointerObject },
  ) {
    const { sizes } = options;
    this.#library = library;
    this.#pointer = pointer;
    this.#memory = options.memory;
    this.sizes = sizes;
    this.#vocabSize = options.vocabSize;
    const n = sizes.batch;
    this.#arena = new ArrayBuffer(n * (8 + 4 * 4) + n);
    const base = addressOf(Deno.UnsafePointer.of(new Uint8Array(this.#arena)));
    const pointers = new BigUint64Array(this.#arena, 0, n);
    let at = 8 * n;
    const column = () => {
      const view = new Int32Array(this.#arena, at, n);
      at += 4 * n;
      return view;
    };
    this.#tokens = column();
    this.#positions = column();
    const counts = column().fill(1);
    this.#slotIds = column();
    this.#flags = new Int8Array(this.#arena, at, n);
    for (let i = 0; i < n; i++) pointers[i] = base + BigInt(this.#slotIds.byteOffset + 4 * i);
    this.#batch = new Uint8Array(56);
    this.#count = new Int32Array(this.#batch.buffer, 0, 1);
    const fields = new BigUint64Array(this.#batch.buffer);
    const columns = [this.#tokens, undefined, this.#positions, counts, pointers, this.#flags];
    columns.forEach((view, i) =>
      fields[1 + i] = view === undefined ? 0n : base + BigInt(view.byteOffset)
    );
  }

  /** Makes a context and reads its sizes back, which proves that the fields are where the table says. */
  static open(
    library: Library,
    model: LlamaModel,
    options: {
      readonly sizes: ContextSizes;
      readonly vocabSize: number;
      readonly abort: Uint8Array;
    },
  ): Result<LlamaContext> {
    const { llama, layout } = library;
    const { sizes } = options;
    const sequences = sequencesOf(sizes);
    // llama.cpp reserves a row per sequence and asserts on less.
    if (sizes.outputs < sequences) throw new RangeError("a context needs a row per sequence");
    using log = new LogCapture(library);
    const params = patchedDefaults(
      llama.llama_context_default_params() as Uint8Array,
      layout.context,
      {
        n_ctx: sizes.cells,
        n_batch: sizes.batch,
        n_ubatch: sizes.batch,
        n_seq_max: sequences,
        n_outputs_max: sizes.outputs,
        n_threads: sizes.threads,
        n_threads_batch: sizes.threads,
        flash_attn_type: 1,
        kv_unified: 1,
        swa_full: 1,
        type_k: sizes.kvType,
        type_v: sizes.kvType,
        abort_callback: addressOf(library.strlen),
        abort_callback_data: addressOf(
          Deno.UnsafePointer.of(options.abort as Uint8Array<ArrayBuffer>),
        ),
      },
    );
    const pointer = llama.llama_init_from_model(model.pointer, params);
    if (pointer === null) {
      return fail(
        "internal",
        `Cannot make a context of ${sizes.cells} cells: ${
          log.text || "no reason given"
        }; lower --ctx or --kv-tokens`,
      );
    }
    const wrong = [
      [llama.llama_n_ctx(pointer), sizes.cells, "n_ctx"] as const,
      [llama.llama_n_batch(pointer), sizes.batch, "n_batch"] as const,
      [llama.llama_n_ubatch(pointer), sizes.batch, "n_ubatch"] as const,
      [llama.llama_n_seq_max(pointer), sequences, "n_seq_max"] as const,
    ].find(([seen, wanted]) => seen !== wanted);
    if (wrong !== undefined) {
      llama.llama_free(pointer);
      return fail(
        "internal",
        `Cannot use llama.cpp: ${wrong[2]} reads ${wrong[0]}, ${
          wrong[1]
        } was set; use the pinned package`,
      );
    }
    const memory = llama.llama_get_memory(pointer);
    if (memory === null) {
      llama.llama_free(pointer);
      const what = "Cannot serve the model: it has no KV cache, so it does not generate text";
      return fail("invalid_request", `${what}; use another model`);
    }
    const { vocabSize } = options;
    return ok(new LlamaContext(library, pointer, { sizes, vocabSize, memory }));
  }

  /** Does cache operations in order; blocks that leave are offered to `offload` while they are still there. */
  apply(ops: readonly KvOp[], offload: (op: Extract<KvOp, { op: "offload" }>) => void): void {
    const { llama } = this.#library;
    for (const op of ops) {
      if (op.op === "copy") {
        this.#checkSlot(op.from);
        this.#checkSlot(op.to);
        this.#checkWhole(op.from);
        llama.llama_memory_seq_cp(this.#memory, op.from, op.to, 0, op.end);
        this.#twin(op.to, 0, op.end);
      } else if (op.op === "offload") offload(op);
      else {
        this.#checkSlot(op.slot);
        if (!llama.llama_memory_seq_rm(this.#memory, op.slot, op.start, -1)) {
          throw new Error(`llama.cpp did not remove slot ${op.slot} from ${op.start} on`);
        }
        if (this.sizes.twins) {
          llama.llama_memory_seq_rm(this.#memory, this.#twinOf(op.slot), op.start, -1);
        }
      }
    }
  }

  /**
   * Writes the state of positions [start, end) of a slot to memory; false where it is not of the size expected. llama.cpp
   * writes no further than it is told and then answers 0: asking for the size before took a twelfth of the time.
   */
  cut(
    { slot, start, end }: { readonly slot: number; readonly start: number; readonly end: number },
    to: NativeBytes,
  ): boolean {
    this.#checkSlot(slot);
    const { llama } = this.#library;
    const context = this.#live();
    const spare = this.#spareSlot;
    llama.llama_memory_seq_cp(this.#memory, slot, spare, start, end);
    const size = BigInt(to.bytes);
    const isRight = llama.llama_state_seq_get_data(context, to.pointer, size, spare) === size;
    llama.llama_memory_seq_rm(this.#memory, spare, -1, -1);
    return isRight;
  }

  /**
   * Adds a state that `cut` wrote to a slot, behind what that holds; false where there was no room for it, then nothing
   * changed. The bytes must have been checked: llama.cpp believes them.
   */
  place(slot: number, from: NativeBytes): boolean {
    this.#checkSlot(slot);
    const { llama } = this.#library;
    const context = this.#live();
    const spare = this.#spareSlot;
    // Straight into the slot it would clear what is there, and leave it empty where it fails.
    const size = BigInt(from.bytes);
    const isRead = llama.llama_state_seq_set_data(context, from.pointer, size, spare) === size;
    if (isRead) {
      llama.llama_memory_seq_cp(this.#memory, spare, slot, -1, -1);
      if (this.sizes.twins) {
        llama.llama_memory_seq_cp(this.#memory, spare, this.#twinOf(slot), -1, -1);
      }
    }
    llama.llama_memory_seq_rm(this.#memory, spare, -1, -1);
    return isRead;
  }

  /** Starts a batch. */
  begin(): void {
    this.#rows = 0;
    this.#outputs = 0;
  }

  /** Adds a row to the batch. */
  add(token: number, position: number, slot: number, wantsLogits: boolean): void {
    if (this.#rows >= this.sizes.batch) throw new RangeError("the batch is full");
    if (!(token >= 0 && token < this.#vocabSize)) {
      throw new RangeError(`token ${token} is not in the vocabulary`);
    }
    this.#checkSlot(slot);
    if (wantsLogits && ++this.#outputs > this.sizes.outputs) {
      throw new RangeError("the batch wants more rows of logits than there are");
    }
    const row = this.#rows++;
    this.#tokens[row] = token;
    this.#positions[row] = position;
    this.#slotIds[row] = slot;
    this.#flags[row] = wantsLogits ? 1 : 0;
  }

  /** Computes the batch: 0 done, 1 no room (nothing changed), 2 aborted, negative failed. Blocks the thread. */
  decode(): number {
    if (this.#rows === 0) throw new RangeError("the batch is empty");
    this.#count[0] = this.#rows;
    const code = this.#library.llama.llama_decode(this.#live(), this.#batch);
    if (code === 0 && this.sizes.twins) this.#twinRows();
    return code;
  }

  /** State of one token, as this context lays it out; the cache must be empty, and is empty again afterwards. */
  stateOfOneToken(): Uint8Array | undefined {
    const { llama } = this.#library;
    const context = this.#live();
    this.begin();
    this.add(0, 0, 0, true);
    if (this.decode() !== 0) return undefined;
    const size = llama.llama_state_seq_get_size(context, 0);
    const bytes = new Uint8Array(Number(size));
    const written = llama.llama_state_seq_get_data(
      context,
      Deno.UnsafePointer.of(bytes)!,
      size,
      0,
    );
    this.apply([{ op: "remove", slot: 0, start: 0 }], () => {});
    return written === size ? bytes : undefined;
  }

  /** Logits of a flagged row: a view of llama.cpp's memory, valid until the next decode. */
  logits(row: number): Float32Array {
    if (row >= this.#rows || this.#flags[row] !== 1) {
      throw new RangeError(`row ${row} has no logits`);
    }
    const pointer = this.#library.llama.llama_get_logits_ith(this.#live(), row);
    if (pointer === null) throw new Error(`llama.cpp has no logits for row ${row}`);
    const address = addressOf(pointer);
    let view = this.#views.get(address);
    if (view === undefined) {
      // The rows move only when llama.cpp makes room for more: the old views must not be used again.
      if (this.#views.size >= this.sizes.outputs) this.#views.clear();
      const bytes = Deno.UnsafePointerView.getArrayBuffer(pointer, 4 * this.#vocabSize);
      this.#views.set(address, view = new Float32Array(bytes));
    }
    return view;
  }

  [Symbol.dispose](): void {
    if (this.#pointer === null) return;
    this.#library.llama.llama_free(this.#pointer);
    this.#pointer = null;
  }

  #live(): Deno.PointerObject {
    if (this.#pointer === null) throw new Error("the context is freed");
    return this.#pointer;
  }

  #twinOf(slot: number): number {
    return this.sizes.slots + slot;
  }

  /** Gives a slot's twin what the slot has in [start, end). */
  #twin(slot: number, start: number, end: number): void {
    if (!this.sizes.twins) return;
    const { llama } = this.#library;
    llama.llama_memory_seq_cp(this.#memory, slot, this.#twinOf(slot), start, end);
  }

  /** What the batch has added, for the twins: its rows come by slot, each slot's positions in order. */
  #twinRows(): void {
    for (let row = 0; row < this.#rows;) {
      const slot = this.#slotIds[row];
      let last = row;
      while (last + 1 < this.#rows && this.#slotIds[last + 1] === slot) last += 1;
      this.#twin(slot, this.#positions[row], this.#positions[last] + 1);
      row = last + 1;
    }
  }

  /** A sequence that has lost its beginning would be read without complaint, and wrongly. */
  #checkWhole(slot: number): void {
    if (!this.sizes.twins) return;
    const first = this.#library.llama.llama_memory_seq_pos_min(this.#memory, slot);
    if (first > 0) throw new Error(`slot ${slot} has lost the positions before ${first}`);
  }

  get #spareSlot(): number {
    return this.sizes.slots - 1;
  }

  #checkSlot(slot: number): void {
    if (!(slot >= 0 && slot < this.#spareSlot)) {
      throw new RangeError(`slot ${slot} is out of range`);
    }
  }
}
