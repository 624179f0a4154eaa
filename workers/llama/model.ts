import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { patchedDefaults } from "./layout.ts";
import { cString } from "./library.ts";
import type { Library } from "./library.ts";
import { LogCapture } from "./log_capture.ts";

/** What llama.cpp says of a loaded model. */
export interface ModelFacts {
  readonly vocabSize: number;
  readonly trainedContext: number;
  readonly endTokenIds: readonly number[];
  /** Tokens that layers with a sliding window see; 0 = there are none. */
  readonly slidingWindow: number;
}

/** A loaded model. Free every context before it. */
export class LlamaModel implements Disposable {
  readonly #library: Library;
  #pointer: Deno.PointerObject | null;

  private constructor(library: Library, pointer: Deno.PointerObject) {
    this.#library = library;
    this.#pointer = pointer;
  }

  /** Loads a GGUF; `checkTensors` also refuses NaN weights. */
  static load(library: Library, path: string): Result<LlamaModel> {
    const { llama, layout } = library;
    using log = new LogCapture(library);
    const params = patchedDefaults(llama.llama_model_default_params() as Uint8Array, layout.model, {
      check_tensors: 1,
    });
    const pointer = llama.llama_model_load_from_file(cString(path), params);
    if (pointer === null) {
      return fail(
        "invalid_request",
        `Cannot load ${path}: llama.cpp refuses it (${
          log.text || "no reason given"
        }); download it again or use another model`,
      );
    }
    return ok(new LlamaModel(library, pointer));
  }

  /** The raw handle, for a context. */
  get pointer(): Deno.PointerObject {
    if (this.#pointer === null) throw new Error("the model is freed");
    return this.#pointer;
  }

  /** Facts of the model, or why this engine cannot serve it. */
  facts(): Result<ModelFacts> {
    const { llama } = this.#library;
    const model = this.pointer;
    const unsupported = (what: string) =>
      fail(
        "invalid_request",
        `Cannot serve the model: it ${what}, which this engine does not support; use another model`,
      );
    if (llama.llama_model_is_recurrent(model) || llama.llama_model_is_hybrid(model)) {
      return unsupported("has recurrent layers");
    }
    if (llama.llama_model_has_encoder(model) || !llama.llama_model_has_decoder(model)) {
      return unsupported("has an encoder");
    }
    const vocab = llama.llama_model_get_vocab(model);
    const vocabSize = llama.llama_vocab_n_tokens(vocab);
    const endTokenIds: number[] = [];
    for (let id = 0; id < vocabSize; id++) {
      if (llama.llama_vocab_is_eog(vocab, id)) endTokenIds.push(id);
    }
    return ok({
      vocabSize,
      trainedContext: llama.llama_model_n_ctx_train(model),
      endTokenIds,
      slidingWindow: llama.llama_model_n_swa(model),
    });
  }

  [Symbol.dispose](): void {
    if (this.#pointer === null) return;
    this.#library.llama.llama_model_free(this.#pointer);
    this.#pointer = null;
  }
}
