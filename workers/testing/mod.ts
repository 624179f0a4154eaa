/**
 * What tests and benchmarks of other members need of the engines: the bundled models, the artifact of a model, llama.cpp's
 * own tokenizer, a cache whose blocks can be moved.
 * @module
 */
export { buildArtifact } from "../artifact/build_artifact.ts";
export type { BuiltArtifact } from "../artifact/build_artifact.ts";
export { BlockTrial, librariesFolder } from "../llama/block_trial_testing.ts";
export { StoreLink } from "../kv_store/store_link.ts";
export { LlamaTokenizer } from "../llama/tokenizer_testing.ts";
export { bundledModel } from "./models.ts";
export { smollm2Path } from "./smollm2_testing.ts";
