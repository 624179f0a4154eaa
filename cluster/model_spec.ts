import { closestWord } from "@pixii/runtime";
import { fail, limits, ok, type Result } from "@pixii/wire";
import { type ModelSource, parseModelSource, servedNameOf } from "./models/model_name.ts";

/** Per-model settings; what a `--model` text leaves out comes from the flag of the same name. */
export interface ModelOverrides {
  readonly workers?: number;
  readonly prefill?: number;
  readonly decode?: number;
  readonly engine?: string;
  readonly "max-seqs"?: number;
  readonly threads?: number;
  readonly ctx?: number;
  readonly "kv-type"?: KvTypeName;
}

/** How a llama worker may store K and V. */
export const kvTypeNames = ["f16", "q8_0"] as const;
/** One of them. */
export type KvTypeName = typeof kvTypeNames[number];

/** One `--model` text, read. */
export interface ModelSpec {
  /** The text without its overrides. */
  readonly text: string;
  readonly source: ModelSource;
  /** The name it is served under unless `--served-name` says otherwise. */
  readonly name: string;
  readonly overrides: ModelOverrides;
}

/** Bounds of the whole numbers, inclusive; `--model` keys and flags share them. */
export const modelBounds = {
  workers: { min: 1, max: 64 },
  prefill: { min: 0, max: 64 },
  decode: { min: 0, max: 64 },
  "max-seqs": { min: 1, max: 4096 },
  threads: { min: 1, max: 256 },
  ctx: { min: 0, max: 1_048_576 },
} as const;

/** Most sequences that a llama worker computes at a time. */
export const mostLlamaSeqs = 192;

const keys = [...Object.keys(modelBounds), "engine", "kv-type"];

/**
 * Reads `M[,key=value…]`: M ends at the first `,word=`, so a path may hold commas. Fails with `invalid_request` and one
 * sentence.
 */
export function parseModelSpec(spec: string, home?: string): Result<ModelSpec> {
  const boundary = spec.search(/,[a-z][a-z-]*=/);
  const text = boundary < 0 ? spec : spec.slice(0, boundary);
  const source = parseModelSource(text, home);
  if (!source.ok) return source;
  const overrides: Record<string, number | string> = {};
  for (const part of boundary < 0 ? [] : spec.slice(boundary + 1).split(",")) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? "" : part.slice(equals + 1);
    const problem = readOverride(key, value, overrides);
    if (problem !== undefined) {
      return fail("invalid_request", `Cannot use --model ${spec}: ${problem}`);
    }
  }
  const name = servedNameOf(source.value);
  if (new TextEncoder().encode(name).length > limits.modelNameBytes) {
    return fail(
      "invalid_request",
      `Cannot use --model ${spec}: a served name has at most ${limits.modelNameBytes} bytes; give --served-name`,
    );
  }
  return ok({ text, source: source.value, name, overrides });
}

function readOverride(
  key: string,
  value: string,
  overrides: Record<string, number | string>,
): string | undefined {
  if (!keys.includes(key)) {
    const close = closestWord(key, keys);
    return `${JSON.stringify(key)} is none of its keys ${keys.join(", ")}${
      close === undefined ? "" : `; did you mean ${close}?`
    }`;
  }
  if (key in overrides) return `${key} is given twice`;
  if (key === "engine") {
    overrides[key] = value;
    return engineProblem(value);
  }
  if (key === "kv-type") {
    overrides[key] = value;
    const isKnown = (kvTypeNames as readonly string[]).includes(value);
    return isKnown ? undefined : `kv-type is one of ${kvTypeNames.join(", ")}, got ${value}`;
  }
  const bounds = modelBounds[key as keyof typeof modelBounds];
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (!(number >= bounds.min && number <= bounds.max)) {
    return `${key} must be a whole number from ${bounds.min} to ${bounds.max}, got ${
      JSON.stringify(value)
    }`;
  }
  overrides[key] = number;
  return undefined;
}

/** What is wrong with an engine's name; undefined for one that works. */
export function engineProblem(engine: string): string | undefined {
  if (engine === "llama" || engine === "sim") return undefined;
  if (["onnx", "openai"].includes(engine)) {
    return `the engine ${engine} is not built yet; use llama or sim`;
  }
  return `an engine is one of llama, sim, onnx, openai, got ${JSON.stringify(engine)}`;
}
