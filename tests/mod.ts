/**
 * What no member can prove alone.
 * @module
 */
export * from "./parts.ts";
