/**
 * Measured against peers and against the limit: each benchmark is a command, `deno task bench:NAME [--json]`.
 * @module
 */
export * from "./figure.ts";
