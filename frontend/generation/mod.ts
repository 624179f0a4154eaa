/**
 * One request's life without HTTP: the models, and the streams that run on their workers.
 * @module
 */
export { createModelDirectory } from "./directory_watch.ts";
export type { DirectoryOptions, WatchedDirectory } from "./directory_watch.ts";
export { createGenerator } from "./generator.ts";
export type { GeneratorOptions, RunningGenerator } from "./generator.ts";
export type { ModelDirectory, ServedModel } from "./model_directory.ts";
export type {
  Generator,
  StreamHandle,
  StreamOutcome,
  StreamRequest,
  StreamSink,
} from "./stream.ts";
