import { z } from "zod";
import { finite, label, u32 } from "./field.ts";

/** Most points of an axis: a profile travels on the model card. */
const mostPoints = 16;

const axis = z.array(u32).min(1).max(mostPoints).refine(
  (points) => points.every((point, i) => i === 0 || point > points[i - 1]),
  "must rise from point to point",
);
const milliseconds = finite.min(0);
const rows = z.array(z.array(milliseconds).min(1).max(mostPoints)).min(1).max(mostPoints);

/** Milliseconds over two axes: `ms[i][j]` belongs to point `i` of the first axis and `j` of the second. */
function table<First extends string, Second extends string>(first: First, second: Second) {
  const fields = { [first]: axis, [second]: axis, ms: rows } as
    & Record<First | Second, typeof axis>
    & { readonly ms: typeof rows };
  return z.strictObject(fields).refine((value) => {
    const { ms, [second]: columns, [first]: points } = value as unknown as
      & Record<First | Second, number[]>
      & { readonly ms: number[][] };
    return ms.length === points.length && ms.every((row) => row.length === columns.length);
  }, `ms must have a row per point of ${first} and a number per point of ${second} in each`);
}

/**
 * How long a worker takes, measured on it: the one format of `deno task profile`, of `--profile` (on the model card, for
 * the router's predictions) and of `--sim-profile` (the time of a simulated engine). `WorkerTimes` evaluates it.
 */
export const workerProfile = z.strictObject({
  version: z.literal(1),
  /** Where it comes from; all are for people but `modelDigest`: sha256 of the weights, hex. */
  model: label,
  modelDigest: label,
  /** Engine and the version of what computes, such as `llama` and `@node-llama-cpp 3.22.1`. */
  engine: label,
  engineVersion: label,
  machine: label,
  /** ISO 8601, UTC. */
  measuredAt: label,
  /** Whatever else the numbers depend on: threads, context length, points that were left out. */
  about: label,
  /** Tokens of a block: the unit of `onboardBlockMs`. */
  blockSize: u32.min(1),
  /** The whole prefill of so many new tokens behind so many that are cached on the device, in the engine's own chunks. */
  prefill: table("newTokens", "contextTokens"),
  /** One step that decodes a token of so many sequences, each over so many tokens of context. */
  decode: table("sequences", "contextTokens"),
  /** Time to first token of so many new tokens while so many short sequences decode: what load adds to it. */
  besides: table("newTokens", "sequences").optional(),
  /** Bytes of KV that a token of context takes on the device. */
  kvBytesPerToken: u32.optional(),
  /** Bringing one block of a tier back to the device; a tier that was not measured is left out. */
  onboardBlockMs: z.strictObject({
    host: milliseconds.optional(),
    disk: milliseconds.optional(),
    remote: milliseconds.optional(),
  }),
});

/** How long a worker takes, measured on it. */
export type WorkerProfile = z.infer<typeof workerProfile>;

/** The profile with each of its times changed by `of` (ms in, ms out). O(numbers of the profile). */
export function mapProfileTimes(profile: WorkerProfile, of: (ms: number) => number): WorkerProfile {
  const rows = (table: readonly (readonly number[])[]) => table.map((row) => row.map(of));
  const { prefill, decode, besides, onboardBlockMs } = profile;
  return {
    ...profile,
    prefill: { ...prefill, ms: rows(prefill.ms) },
    decode: { ...decode, ms: rows(decode.ms) },
    ...(besides === undefined ? {} : { besides: { ...besides, ms: rows(besides.ms) } }),
    onboardBlockMs: Object.fromEntries(
      Object.entries(onboardBlockMs).map(([tier, ms]) => [tier, of(ms)]),
    ),
  };
}
