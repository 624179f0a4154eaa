/**
 * How it crosses: bus, registry, clock, chance, config, lifecycle, telemetry. All I/O that programs share.
 * @module
 */
export * from "./bus.ts";
export * from "./chance.ts";
export * from "./clock.ts";
export * from "./config.ts";
export * from "./log.ts";
export * from "./metrics.ts";
export * from "./registry.ts";
export * from "./service.ts";
export * from "./threads.ts";
