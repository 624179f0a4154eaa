import { fail, ok, workerProfile } from "@pixii/wire";
import type { Result, WorkerProfile } from "@pixii/wire";
import { monotone } from "./monotone.ts";
import type { NpyArray } from "./npy_array.ts";

/** Most points of an axis of a profile. */
const mostPoints = 16;
/** Shortest context that a decode table is read for: shorter ones ask for more sequences than any engine runs. */
const leastContext = 16;

/** Arrays by the names that Dynamo gives them. */
export type DynamoArrays = Readonly<Record<string, NpyArray | undefined>>;

/** Whose times they are; Dynamo's files do not say. */
export interface ProfileOwner {
  readonly model: string;
  /** sha256 of the weights; empty: any weights of that model. */
  readonly modelDigest: string;
  readonly source: string;
  /** ISO 8601, UTC. */
  readonly measuredAt: string;
}

/** A measured step: so many sequences took so many milliseconds. */
interface StepPoint {
  readonly sequences: number;
  readonly ms: number;
}

/**
 * A worker's profile from what NVIDIA Dynamo's profiler wrote: TTFT (ms) over ISL, and ITL (ms) over context length and
 * filled KV. Both of its shapes: points as measured (`prefill_ttft`, `x_kv_usage`, `y_context_length`, `z_itl`,
 * `max_kv_tokens`) and the mocker's grid (`prefill_ttft_ms`, `decode_active_kv_tokens`, `decode_context_length`,
 * `decode_itl`). Filled KV over context length is the number of sequences; Dynamo measures prompts without anything
 * cached before them. Fails in one sentence.
 */
export function profileFromDynamo(
  arrays: DynamoArrays,
  owner: ProfileOwner,
): Result<WorkerProfile> {
  const isl = arrays.prefill_isl?.values;
  const ttft = (arrays.prefill_ttft_ms ?? arrays.prefill_ttft)?.values;
  if (isl === undefined || ttft === undefined || isl.length !== ttft.length || isl.length === 0) {
    return refuse(
      "prefill_isl and prefill_ttft (or prefill_ttft_ms) are missing or unequal in length",
    );
  }
  const curves = arrays.decode_itl === undefined ? curvesOfPoints(arrays) : curvesOfGrid(arrays);
  if (!curves.ok) return curves;
  const prefill = thinned(
    sorted([...isl].map((tokens, i) => [Math.round(tokens), ttft[i]] as const)),
  )
    .filter(([tokens]) => tokens > 0);
  const contexts = thinned([...curves.value.keys()].sort((a, b) => a - b));
  if (prefill.length === 0 || contexts.length === 0) return refuse("there is no point in them");
  const columns = contexts.map((context) => curves.value.get(context)!);
  const sequences = geometric(Math.max(...columns.flat().map((point) => point.sequences)));
  const parsed = workerProfile.safeParse({
    version: 1,
    ...{ model: owner.model, modelDigest: owner.modelDigest, measuredAt: owner.measuredAt },
    ...{ engine: "dynamo", engineVersion: "profile", machine: owner.source, blockSize: 16 },
    about: roomOf(arrays),
    prefill: {
      newTokens: prefill.map(([tokens]) => tokens),
      contextTokens: [0],
      ms: rounded(monotone(prefill.map(([, ms]) => [ms]))),
    },
    decode: {
      ...{ sequences, contextTokens: contexts },
      ms: rounded(monotone(sequences.map((count) => columns.map((curve) => stepMs(curve, count))))),
    },
    onboardBlockMs: {},
  });
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  return refuse(`${issue.path.join(".")}: ${issue.message}`);
}

function refuse(why: string): Result<never> {
  return fail("invalid_request", `Cannot read this as a profile of Dynamo: ${why}`);
}

/** Steps by context length, from measured points. */
function curvesOfPoints(arrays: DynamoArrays): Result<Map<number, StepPoint[]>> {
  const { x_kv_usage: usage, y_context_length: contexts, z_itl: itl, max_kv_tokens } = arrays;
  const room = max_kv_tokens?.values[0];
  if (
    usage === undefined || contexts === undefined || itl === undefined || room === undefined ||
    usage.values.length !== contexts.values.length || usage.values.length !== itl.values.length
  ) {
    return refuse(
      "x_kv_usage, y_context_length, z_itl and max_kv_tokens are missing or unequal in length",
    );
  }
  const curves = new Map<number, StepPoint[]>();
  contexts.values.forEach((length, i) => {
    add(curves, length, { sequences: usage.values[i] * room / length, ms: itl.values[i] });
  });
  return ok(curves);
}

/** Steps by context length, from a grid of filled KV and context length. */
function curvesOfGrid(arrays: DynamoArrays): Result<Map<number, StepPoint[]>> {
  const { decode_active_kv_tokens: filled, decode_context_length: contexts, decode_itl } = arrays;
  if (
    filled === undefined || contexts === undefined || decode_itl === undefined ||
    decode_itl.values.length !== filled.values.length * contexts.values.length
  ) {
    return refuse(
      "decode_itl must have a row per decode_active_kv_tokens and a column per decode_context_length",
    );
  }
  const columns = contexts.values.length;
  const curves = new Map<number, StepPoint[]>();
  contexts.values.forEach((length, j) => {
    filled.values.forEach((tokens, i) => {
      add(curves, length, { sequences: tokens / length, ms: decode_itl.values[i * columns + j] });
    });
  });
  return ok(curves);
}

function add(curves: Map<number, StepPoint[]>, length: number, point: StepPoint): void {
  const context = Math.round(length);
  if (context < leastContext || !(point.sequences > 0)) return;
  const curve = curves.get(context);
  if (curve === undefined) curves.set(context, [point]);
  else curve.push(point);
}

/** Milliseconds of a step of `count` sequences: between measured points in a line, before the first the first, on behind the last. */
function stepMs(curve: readonly StepPoint[], count: number): number {
  const points = curve.toSorted((a, b) => a.sequences - b.sequences);
  const [first] = points;
  if (count <= first.sequences || points.length === 1) return first.ms;
  const next = points.findIndex((point) => point.sequences >= count);
  const at = next < 0 ? points.length - 1 : next;
  const [low, high] = [points[at - 1], points[at]];
  const width = high.sequences - low.sequences;
  if (width <= 0) return high.ms;
  const slope = (high.ms - low.ms) / width;
  // Behind the last point a step gets no shorter.
  return next < 0
    ? high.ms + Math.max(0, slope) * (count - high.sequences)
    : low.ms + slope * (count - low.sequences);
}

function sorted(
  points: readonly (readonly [number, number])[],
): readonly (readonly [number, number])[] {
  const rising = points.toSorted(([a], [b]) => a - b);
  return rising.filter(([tokens], i) => i === 0 || tokens > rising[i - 1][0]);
}

/** At most as many points as an axis may have, the first and the last among them. */
function thinned<Point>(points: readonly Point[]): readonly Point[] {
  if (points.length <= mostPoints) return points;
  return Array.from(
    { length: mostPoints },
    (_, i) => points[Math.round(i * (points.length - 1) / (mostPoints - 1))],
  );
}

/** Whole numbers from 1 to `most`, each larger than the one before by the same factor. */
function geometric(most: number): number[] {
  const last = Math.max(1, Math.round(most));
  const all = Array.from(
    { length: mostPoints },
    (_, i) => Math.round(last ** (i / (mostPoints - 1))),
  );
  return [...new Set(all)];
}

function rounded(ms: readonly (readonly number[])[]): number[][] {
  return ms.map((row) => row.map((value) => Number(value.toPrecision(6))));
}

function roomOf({ max_kv_tokens, decode_active_kv_tokens }: DynamoArrays): string {
  const room = max_kv_tokens?.values[0] ?? Math.max(...decode_active_kv_tokens?.values ?? [0]);
  return `read from a profile of NVIDIA Dynamo; KV for ${Math.round(room)} tokens`;
}
