/**
 * Many programs together: the dev launcher, the one-process mode, the model store, the one table of permissions.
 * @module
 */
export { EngineBench } from "./profile/engine_bench.ts";
export type { BenchOptions } from "./profile/engine_bench.ts";
export { promptTokens } from "./profile/core/prompt_tokens.ts";
export { permissionFlags, standaloneFlags } from "./permissions.ts";
export type { PermissionNeeds } from "./permissions.ts";
