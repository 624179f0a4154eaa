import type { Option } from "./config.ts";
import { parseLogFilter } from "./log_filter.ts";
import { option } from "./option.ts";

const instance = option.text({
  fallback: "",
  placeholder: "ID",
  help: "This program's instance id, 16 hex digits; empty: drawn. Set by launchers.",
  pattern: /^([0-9a-f]{16})?$/,
  rule: "must be 16 lower-case hex digits",
});

/** A log filter in RUST_LOG syntax, checked when the config is read. */
const logFilter: Option<string> = {
  ...option.text({
    fallback: "info",
    placeholder: "FILTER",
    help: "What is logged, as in RUST_LOG: info,router=debug,frontend::http=trace.",
  }),
  parse: (texts) => {
    const text = texts.at(-1) ?? "";
    const parsed = parseLogFilter(text);
    return "problem" in parsed ? parsed : { value: text };
  },
};

function serverUrl(fallback: string, what: string): Option<string> {
  return option.text({
    fallback,
    placeholder: "URL",
    help: `Where ${what} is; unix:/PATH for a program that serves it over a socket.`,
    pattern: /^(unix:\/.+|[a-z]+:\/\/[^\s/]+.*)$/,
    rule: "must be a URL like " + fallback + " or unix:/path",
  });
}

/** Options that every service has; spread into its schema. */
export const commonOptions = {
  nats: serverUrl("nats://127.0.0.1:4222", "the message bus"),
  etcd: serverUrl("http://127.0.0.1:2379", "the registry"),
  namespace: option.text({
    fallback: "default",
    placeholder: "NAME",
    help: "Keeps deployments that share servers apart.",
    pattern: /^[a-zA-Z0-9_-]{1,64}$/,
    rule: "must be 1 to 64 of a-z A-Z 0-9 _ -",
  }),
  "admin.host": option.text({
    fallback: "127.0.0.1",
    placeholder: "ADDRESS",
    help: "Where /health, /live and /metrics listen.",
  }),
  "admin.port": option.integer({
    fallback: 0,
    min: 0,
    max: 65535,
    help: "Their port; 0 takes any free one.",
  }),
  log: logFilter,
  config: option.text({
    fallback: "",
    placeholder: "PATH",
    help: "A JSON file with any of these options; --config-schema prints what it may hold.",
  }),
  "drain.timeout": option.duration({
    fallback: 30_000,
    min: 0,
    max: 86_400_000,
    help: "Longest wait for running work after SIGINT or SIGTERM; 0 drops it.",
  }),
  instance,
} as const;
