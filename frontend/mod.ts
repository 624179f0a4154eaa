/**
 * The HTTP edge: the OpenAI API, chat templates, tokens in and out, one request's life.
 * @module
 */
export { frontendSchema } from "./config.ts";
export type { FrontendConfig } from "./config.ts";
export { frontendSpec } from "./service.ts";
