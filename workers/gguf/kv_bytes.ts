import { ggufNumber, ggufText } from "./reader.ts";
import type { Gguf } from "./reader.ts";

/** A number that holds for all layers, or one per layer. */
function perLayer(gguf: Gguf, key: string, layers: number): readonly number[] | undefined {
  const value = gguf.metadata.get(key);
  if (typeof value === "number") return Array(layers).fill(value);
  if (!Array.isArray(value) || value.length !== layers) return undefined;
  return value.map(Number);
}

/** Layers of a model; undefined where its header does not say. */
export function layersOf(gguf: Gguf): number | undefined {
  const layers = ggufNumber(gguf, `${ggufText(gguf, "general.architecture")}.block_count`);
  return layers !== undefined && Number.isInteger(layers) && layers >= 1 && layers <= 65_536
    ? layers
    : undefined;
}

/** Elements of a head's K and of its V; undefined where the header does not say. */
export function headSizes(gguf: Gguf): readonly [key: number, value: number] | undefined {
  const architecture = ggufText(gguf, "general.architecture");
  const of = (key: string) => ggufNumber(gguf, `${architecture}.${key}`);
  const layers = layersOf(gguf);
  if (layers === undefined) return undefined;
  const heads = perLayer(gguf, `${architecture}.attention.head_count`, layers);
  if (heads === undefined) return undefined;
  const size = (of("embedding_length") ?? NaN) / heads[0];
  const sizes = [of("attention.key_length") ?? size, of("attention.value_length") ?? size] as const;
  return sizes.every(Number.isFinite) ? sizes : undefined;
}

/**
 * Bytes of K and V of one token in all layers, at `elementBytes` per element (2 for f16), from the GGUF keys;
 * undefined where the header lacks them. Head sizes differ from embedding / heads in some families (Qwen3), and heads
 * may differ by layer.
 */
export function kvBytesPerToken(gguf: Gguf, elementBytes: number): number | undefined {
  const architecture = ggufText(gguf, "general.architecture");
  const layers = layersOf(gguf);
  const sizes = headSizes(gguf);
  if (layers === undefined || sizes === undefined) return undefined;
  const heads = perLayer(gguf, `${architecture}.attention.head_count`, layers);
  const kvHeads = perLayer(gguf, `${architecture}.attention.head_count_kv`, layers) ?? heads;
  if (kvHeads === undefined) return undefined;
  const bytes = kvHeads.reduce((sum, count) => sum + count * (sizes[0] + sizes[1]), 0) *
    elementBytes;
  return Number.isFinite(bytes) ? bytes : undefined;
}
