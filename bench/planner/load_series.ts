import type { GovernedWorld } from "./governors.ts";
import { LoadMeans } from "./load_means.ts";
import { madeCurve } from "./made_load.ts";
import { LoadCurve, requestsOf } from "./request_line.ts";
import type { LoadPoint, LoadRequest } from "./request_line.ts";

/** A load that planners are measured with. */
export interface LoadSeries {
  readonly name: string;
  readonly requests: readonly LoadRequest[];
  readonly means: LoadMeans;
  readonly hours: number;
  /** How it was made, for people. */
  readonly about: string;
}

/** How curves become requests. */
export interface ExpandOptions {
  readonly world: GovernedWorld;
  readonly seed: number;
  /** Coefficient of variation of the gaps between requests. */
  readonly cv: number;
  readonly days: number;
  /** Rates are scaled so that so many GPUs have work on average, but not to more requests per second than this. */
  readonly gpus: number;
  readonly mostRate: number;
}

/** Longest prompt and answer that are drawn, tokens: an idle worker serves them within the goals. */
const longest = 6_000;
const dayMs = 86_400_000;

/** A series of given requests. */
export function seriesOf(
  name: string,
  requests: readonly LoadRequest[],
  about: string,
): LoadSeries {
  const hours = requests.at(-1)!.atMs / 3_600_000;
  return { name, requests, means: new LoadMeans(requests), hours, about };
}

/** Models of a file of ten-minute rates (`t_s`, `MODEL_req_per_s`, `MODEL_mean_in`, `MODEL_mean_out`). */
export function modelsOf(csv: string): readonly string[] {
  const end = "_req_per_s";
  return csv.split("\n", 1)[0].trim().split(",")
    .filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length));
}

/** A curve's requests. */
export function curveSeries(name: string, means: LoadCurve, options: ExpandOptions): LoadSeries {
  const { curve, factor } = scaled(means, options);
  const { seed, cv } = options;
  const requests = [...requestsOf(curve, { seed, cv, longest })];
  const about = `rates x ${
    factor.toPrecision(3)
  }, gaps Gamma with CV ${cv}, lengths lognormal with CV 1`;
  return seriesOf(name, requests, about);
}

/** One model's columns as a curve; a line without lengths keeps the last ones. */
export function rateCurve(csv: string, model: string): LoadCurve {
  const [head, ...lines] = csv.trim().split("\n").map((line) => line.trim().split(","));
  const column = (name: string) => {
    const at = head.indexOf(`${model}_${name}`);
    if (at < 0) throw new RangeError(`the file has no column ${model}_${name}`);
    return at;
  };
  const [rateAt, islAt, oslAt] = [column("req_per_s"), column("mean_in"), column("mean_out")];
  let last: LoadPoint = { atMs: 0, rate: 0, isl: 500, osl: 100 };
  return new LoadCurve(
    lines.filter((line) => line[rateAt] !== "").map((line): LoadPoint => {
      const number = (at: number, before: number) => line[at] === "" ? before : Number(line[at]);
      return last = {
        atMs: Number(line[0]) * 1000,
        rate: Number(line[rateAt]),
        isl: number(islAt, last.isl),
        osl: number(oslAt, last.osl),
      };
    }),
  );
}

/** The first days of a curve, at rates that keep `gpus` busy on average. */
function scaled(curve: LoadCurve, { world, days, gpus, mostRate }: ExpandOptions) {
  const points = curve.points.filter(({ atMs }) => atMs <= days * dayMs);
  const mean = (of: (point: LoadPoint) => number) =>
    points.reduce((sum, one) => sum + of(one), 0) / points.length;
  const work = mean((point) => point.rate * workSeconds(world, point));
  const factor = Math.min(gpus / work, mostRate / mean(({ rate }) => rate));
  const curveOf = points.map((point) => ({ ...point, rate: factor * point.rate }));
  return { curve: new LoadCurve(curveOf), factor };
}

/** GPU-seconds that a request takes where its worker is well used. */
function workSeconds({ times, goal }: GovernedWorld, { isl, osl }: LoadPoint): number {
  const context = isl + osl / 2;
  let batch = 1;
  while (batch < 64 && times.decodeStepMs(batch + 1, (batch + 1) * context) <= goal.itlMs) batch++;
  const stepMs = times.decodeStepMs(batch, batch * context);
  return (times.prefillMs(isl, 0) + osl * stepMs / batch) / 1000 / 0.8;
}

/** A trace of single requests: lines of time, prompt tokens, answer tokens, as Azure publishes them. */
export function traceSeries(csv: string, name: string): LoadSeries {
  const lines = csv.trim().split("\n").slice(1).map((line) => line.trim().split(","));
  const timeOf = (text: string) => Date.parse(`${text.replace(" ", "T")}Z`);
  const startMs = timeOf(lines[0][0]);
  const requests = lines.map(([time, isl, osl]): LoadRequest => ({
    atMs: timeOf(time) - startMs,
    isl: Math.max(1, Number(isl)),
    osl: Math.max(1, Number(osl)),
  }));
  return seriesOf(name, requests, "its own times and lengths");
}

/** The loads of files, one after the other, so that only one is in memory; a made day where none is given. */
export async function* readSeries(
  paths: readonly string[],
  options: ExpandOptions,
): AsyncIterable<LoadSeries> {
  if (paths.length === 0) yield curveSeries("made", madeCurve(options.days), options);
  for (const path of paths) {
    const text = await Deno.readTextFile(path);
    const name = path.split("/").at(-1)!.split(/[._]/)[0];
    if (!text.startsWith("t_s,")) yield traceSeries(text, name);
    else {
      for (const model of modelsOf(text)) yield curveSeries(model, rateCurve(text, model), options);
    }
  }
}
