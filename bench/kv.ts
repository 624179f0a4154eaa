/**
 * `deno task bench:kv`: every `kv.*` figure, each measured in turns with what it is compared with. `--only` names rows, so that
 * they can be measured one by one in quiet minutes.
 */
import { smollm2Path } from "@pixii/workers/testing";
import { printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";
import { kvRows } from "./kv/rows.ts";
import type { KvBenchOptions, KvRows } from "./kv/rows.ts";

const names = kvRows.map(({ name }) => name).join(", ");
const values = benchFlags({
  task: "bench:kv",
  summary: "KV blocks between device, memory, disk and hosts.",
  specs: {
    json: jsonFlag,
    only: { kind: "text", help: `Rows, with commas: ${names}; all if left out.`, fallback: "" },
    model: { kind: "text", help: "GGUF file; SmolLM2 if left out.", fallback: "" },
    rounds: {
      kind: "number",
      help: "Rounds of every row; 0 = each one's own.",
      fallback: 0,
      min: 0,
    },
    folder: { kind: "text", help: "Folder on the disk to measure.", fallback: "/tmp" },
    slot: { kind: "number", help: "Bytes of a block's slot.", fallback: 1_478_656, min: 4_096 },
    longest: { kind: "number", help: "Longest prompt of a hand-over.", fallback: 4_096 },
    peer: {
      kind: "text",
      help: "Path of llama-server; else PIXII_LLAMA_SERVER; none: it is left out.",
    },
  },
});

/** The rows asked for; ends with 2 where there are none of a name. */
function chosen(): readonly KvRows[] {
  if (values.only === "") return kvRows;
  return values.only.split(",").map((name) => {
    const rows = kvRows.find((one) => one.name === name);
    if (rows !== undefined) return rows;
    console.error(`--only ${name}: there are no such rows; there are ${names}`);
    Deno.exit(2);
  });
}

/** Why rows cannot be measured here; nothing where they can. */
function lacks({ needs }: KvRows, { model, peer }: KvBenchOptions): string | undefined {
  if (needs.includes("model") && model === undefined) {
    return "SmolLM2 is not here; deno task models pull smollm2";
  }
  if (needs.includes("peer") && peer === undefined) {
    return "no llama-server: --peer PATH or PIXII_LLAMA_SERVER=PATH";
  }
  return undefined;
}

async function main(): Promise<number> {
  const rows = chosen();
  await printMachine();
  const { rounds, folder, slot: slotBytes, longest, json } = values;
  const options: KvBenchOptions = {
    ...{ model: values.model || smollm2Path(), rounds, folder, slotBytes, longest },
    peer: values.peer ?? Deno.env.get("PIXII_LLAMA_SERVER"),
    onFigure: (figure) => printFigure(figure, json),
  };
  let left = 0;
  for (const one of rows) {
    const why = lacks(one, options);
    if (why === undefined) await one.run(options);
    else {
      left += 1;
      console.error(`${one.name} is left out: ${why}`);
    }
  }
  return left === rows.length ? 3 : 0;
}

Deno.exit(await main());
