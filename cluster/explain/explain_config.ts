import { option, parseConfig } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import { optionWords } from "../option_words.ts";

/** Options of `deno task explain`. */
export const explainSchema = {
  admin: option.list({
    fallback: [] as readonly string[],
    placeholder: "URL",
    help: "Admin address of a router, such as http://127.0.0.1:40003; once per router.",
  }),
  "ready-file": option.text({
    fallback: "",
    placeholder: "PATH",
    help: "Asks the routers that this ready file of deno task dev names.",
  }),
  etcd: option.text({
    fallback: "",
    placeholder: "http://HOST:PORT",
    help: "Asks the routers that this registry names.",
  }),
  namespace: option.text({
    fallback: "default",
    placeholder: "NAME",
    help: "With --etcd: whose routers.",
  }),
  file: option.text({
    fallback: "",
    placeholder: "PATH",
    help: "Reads a router's --decisions-file, and its older part PATH.1, instead of asking.",
  }),
  last: option.flag({ fallback: false, help: "The newest decision, whichever request it was." }),
  replay: option.flag({
    fallback: false,
    help: "Makes the decision again from its record and says whether it is the same, bit for bit.",
  }),
  "what-if": option.list({
    fallback: [] as readonly string[],
    placeholder: "NAME=VALUE",
    help:
      "Who would have been chosen with kv.temperature=0.5 (any weight), policy=ttft, deny=WORKER, allow=WORKER, session=off or WORKER.requests=3; more than one hold together.",
  }),
  json: option.flag({ fallback: false, help: "Prints the record, one JSON line per decision." }),
} as const;

/** The options, parsed. */
export type ExplainConfig = ConfigOf<typeof explainSchema>;

/** What is asked: a request by its id, or with `undefined` the newest or a list of them. */
export interface ExplainAsk {
  readonly id: string | undefined;
  readonly config: ExplainConfig;
}

/** Parts the one argument without a name (the request) from the options. Reports every problem at once. */
export function parseExplain(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): ExplainAsk | { readonly problems: readonly string[] } {
  const { words: ids, named } = optionWords(explainSchema, args);
  const parsed = parseConfig(explainSchema, { args: named, env });
  if ("problems" in parsed) return parsed;
  const { config } = parsed;
  const problems: string[] = [];
  if (ids.length > 1) problems.push(`Cannot explain ${ids.length} requests at once; name one`);
  if (ids.length > 0 && config.last) {
    problems.push("Cannot use --last with a request id: name the request or take the newest");
  }
  return problems.length > 0 ? { problems } : { id: ids[0], config };
}
