import { headSizes } from "../gguf/kv_bytes.ts";
import type { Gguf } from "../gguf/reader.ts";

/** How K and V are stored. */
export interface KvType {
  /** ggml's number of it. */
  readonly ggml: number;
  /** Elements are stored in groups of this many. */
  readonly groupElements: number;
  readonly groupBytes: number;
}

/** The KV types an engine can be started with, by the name of `--kv-type`. */
export const kvTypes = {
  f16: { ggml: 1, groupElements: 1, groupBytes: 2 },
  /** 32 bytes and an f16 scale per 32 elements. */
  q8_0: { ggml: 8, groupElements: 32, groupBytes: 34 },
} as const satisfies Readonly<Record<string, KvType>>;

/** Name of a KV type. */
export type KvTypeName = keyof typeof kvTypes;

/** Bytes of an element of K or V on the average. */
export function kvElementBytes(name: KvTypeName): number {
  const { groupBytes, groupElements } = kvTypes[name];
  return groupBytes / groupElements;
}

/** Why a model's K and V cannot be stored so, in one sentence; nothing where they can. */
export function kvTypeProblem(gguf: Gguf, name: KvTypeName): string | undefined {
  const { groupElements } = kvTypes[name];
  const odd = headSizes(gguf)?.find((size) => size % groupElements !== 0);
  return odd === undefined
    ? undefined
    : `Cannot use --kv-type ${name}: the model's heads have ${odd} values, which is no multiple of ${groupElements}; use --kv-type f16`;
}
