import { option, parseConfig } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import { optionWords } from "../option_words.ts";

/** What `deno task kv` can do. */
export const kvActions = ["ls", "stat", "verify", "drop"] as const;
/** One of them. */
export type KvAction = typeof kvActions[number];

/** Options of `deno task kv`. */
export const kvSchema = {
  admin: option.list({
    fallback: [] as readonly string[],
    placeholder: "URL",
    help: "Admin address of a kvbm, such as http://127.0.0.1:40003; once per kvbm.",
  }),
  "ready-file": option.text({
    fallback: "",
    placeholder: "PATH",
    help: "Asks the kvbm that this ready file of deno task dev names.",
  }),
  etcd: option.text({
    fallback: "",
    placeholder: "http://HOST:PORT",
    help: "Asks every kvbm that this registry names.",
  }),
  namespace: option.text({
    fallback: "default",
    placeholder: "NAME",
    help: "With --etcd: whose kvbms.",
  }),
  all: option.flag({ fallback: false, help: "With drop: the blocks of every model." }),
  json: option.flag({ fallback: false, help: "Prints one JSON line per kvbm." }),
} as const;

/** The options, parsed. */
export type KvConfig = ConfigOf<typeof kvSchema>;

/** What is to be done. */
export interface KvAsk {
  readonly action: KvAction;
  /** With `drop`: served name of the model whose blocks go. */
  readonly model: string | undefined;
  readonly config: KvConfig;
}

/** Parts the command and the model's name from the options. Reports every problem at once. */
export function parseKv(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): KvAsk | { readonly problems: readonly string[] } {
  const { words, named } = optionWords(kvSchema, args);
  const parsed = parseConfig(kvSchema, { args: named, env });
  const problems = "problems" in parsed ? [...parsed.problems] : [];
  const [action, model, ...rest] = words;
  const isKnown = (kvActions as readonly string[]).includes(action);
  if (!isKnown) {
    const said = action === undefined ? "nothing" : JSON.stringify(action);
    problems.push(`Cannot do ${said}: name one of ${kvActions.join(", ")}`);
  }
  const isAll = "config" in parsed && parsed.config.all;
  if (action === "drop") {
    if (rest.length > 0) problems.push("Cannot drop several models at once; name one");
    if ((model === undefined) === !isAll) {
      problems.push("Cannot drop: name one model, or say --all (not both)");
    }
  } else if (isKnown && (model !== undefined || isAll)) {
    problems.push(`Cannot ${action} one model: it takes no name and no --all`);
  }
  if ("problems" in parsed || problems.length > 0) return { problems };
  return { action: action as KvAction, model, config: parsed.config };
}
