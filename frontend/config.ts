import { commonOptions, option } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";

/** The frontend's options. */
export const frontendSchema = {
  ...commonOptions,
  "host": option.text({
    fallback: "127.0.0.1",
    placeholder: "ADDRESS",
    help: "address of the API",
  }),
  "port": option.integer({ fallback: 8000, min: 0, max: 65_535, help: "port of the API; 0 = any" }),
  "max-body": option.bytes({
    fallback: 8 * 1024 * 1024,
    min: 1024,
    max: 1024 * 1024 * 1024,
    help: "largest request body; over it 413",
  }),
  "max-choices": option.integer({
    fallback: 16,
    min: 1,
    max: 128,
    help: "most choices (n) of one request",
  }),
  "request-timeout": option.duration({
    fallback: 600_000,
    min: 1_000,
    max: 86_400_000,
    help: "a request that runs longer ends with an error",
  }),
  "wake-timeout": option.duration({
    fallback: 300_000,
    min: 0,
    max: 86_400_000,
    help: "longest wait of a request whose model sleeps, until it is started; 0 = none",
  }),
  "wake-queue": option.integer({
    fallback: 1_024,
    min: 0,
    max: 1_048_576,
    help: "most requests that wait for models to be started",
  }),
  "page": option.flag({
    fallback: false,
    help:
      "serve the built-in page at / (chat, cluster, decisions, planner); it shows what the admin ports of all programs show",
  }),
  "body-timeout": option.duration({
    fallback: 30_000,
    min: 100,
    max: 600_000,
    help: "a body that takes longer to arrive is refused",
  }),
} as const;

/** The frontend's config. */
export type FrontendConfig = ConfigOf<typeof frontendSchema>;
