/**
 * Request traces and the pooled caches they are compared with.
 * @module
 */
export { agentTrace } from "./core/agent_trace.ts";
export { denseTrace } from "./core/dense_trace.ts";
export type { DenseRequest, DenseTrace } from "./core/dense_trace.ts";
export { parseMooncake } from "./core/mooncake_trace.ts";
export { BeladyOrder, LruOrder, pooledHits } from "./core/pooled_cache.ts";
export type { EvictionOrder, PooledView } from "./core/pooled_cache.ts";
export type { Trace } from "./core/replay_request.ts";
export { partOf, traceParts } from "./core/trace_shape.ts";
export type { TracePart } from "./core/trace_shape.ts";
