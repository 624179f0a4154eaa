import { cString, openLibrary } from "./library.ts";
import { writeField } from "./layout.ts";
import type { Llama } from "./symbols.ts";

/** llama.cpp's tokenizer over a model's vocabulary, no weights loaded: what frontends must equal. */
export class LlamaTokenizer implements Disposable {
  readonly #llama: Llama;
  readonly #model: Deno.PointerObject;
  readonly #vocab: Deno.PointerValue;
  #ids = new Int32Array(1024);

  private constructor(llama: Llama, model: Deno.PointerObject) {
    this.#llama = llama;
    this.#model = model;
    this.#vocab = llama.llama_model_get_vocab(model);
  }

  /** Loads the vocabulary of a GGUF file; throws where that fails. */
  static async open(path: string): Promise<LlamaTokenizer> {
    const library = await openLibrary();
    if (!library.ok) throw new Error(library.error.message);
    const { llama, layout } = library.value;
    const params = (llama.llama_model_default_params() as Uint8Array).slice();
    writeField(params, layout.model.fields.vocab_only, 1);
    const model = llama.llama_model_load_from_file(cString(path), params);
    if (model === null) throw new Error(`llama.cpp cannot load ${path}`);
    return new LlamaTokenizer(llama, model);
  }

  /** Token ids in all. */
  get size(): number {
    return this.#llama.llama_vocab_n_tokens(this.#vocab);
  }

  /** Ids of a text, without BOS. */
  encode(text: string, options: { readonly parseSpecials: boolean }): Uint32Array {
    const bytes = cString(text);
    while (true) {
      const count = this.#llama.llama_tokenize(
        ...[this.#vocab, bytes, bytes.length - 1] as const,
        ...[this.#ids, this.#ids.length, false, options.parseSpecials] as const,
      );
      if (count >= 0) return Uint32Array.from(this.#ids.subarray(0, count));
      this.#ids = new Int32Array(-count);
    }
  }

  /** Bytes that a token is written as; those of special tokens only where asked for. */
  tokenBytes(id: number, options: { readonly special: boolean }): Uint8Array {
    const bytes = new Uint8Array(1024);
    const { llama_token_to_piece } = this.#llama;
    const size = llama_token_to_piece(this.#vocab, id, bytes, bytes.length, 0, options.special);
    if (size < 0) throw new RangeError(`token ${id} is ${-size} bytes`);
    return bytes.slice(0, size);
  }

  [Symbol.dispose](): void {
    this.#llama.llama_model_free(this.#model);
  }
}
