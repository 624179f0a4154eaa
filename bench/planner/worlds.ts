import type { WorkerProfile } from "@pixii/wire";
import { WorkerTimes } from "@pixii/wire";
import type { GovernedWorld } from "./governors.ts";
import { LoadCurve } from "./request_line.ts";
import type { LoadPoint, LoadRequest } from "./request_line.ts";

const promptTokens = [16, 256, 1_024, 4_096, 16_384, 65_536];
const sequences = [1, 4, 16, 64];
const contexts = [256, 1_024, 4_096, 16_384];

/** A worker of moderate speed: a prompt token a millisecond at first, steps of 30 ms and 4 ms a sequence. */
const profile: WorkerProfile = {
  version: 1,
  ...{ model: "bench", modelDigest: "0", engine: "sim", engineVersion: "0", machine: "none" },
  ...{ measuredAt: "2026-01-01T00:00:00Z", about: "made up for bench:planner", blockSize: 64 },
  prefill: {
    newTokens: promptTokens,
    contextTokens: [0],
    ms: promptTokens.map((n) => [20 + n + n * n / 60_000]),
  },
  decode: {
    sequences,
    contextTokens: contexts,
    ms: sequences.map((b) => contexts.map((c) => 30 + 4 * b + b * c / 1_000)),
  },
  onboardBlockMs: {},
};

/** The workers that loads are planned for, with this time to start and to change a job. */
export function worldOf(
  times: { readonly startMs: number; readonly flipMs: number },
): GovernedWorld {
  return {
    ...times,
    times: new WorkerTimes(profile),
    goal: { ttftMs: 8_000, itlMs: 100 },
    ...{ maxSeqs: 64, kvTokens: 131_072, budgetGpus: 200 },
  };
}

/** A column of ServeGen's ten-minute rates as a curve whose mean rate is `meanRate`; lines without numbers keep the last. */
export function serveGenCurve(
  csv: string,
  { model, meanRate }: { readonly model: string; readonly meanRate: number },
): LoadCurve {
  const [head, ...lines] = csv.trim().split("\n").map((line) => line.split(","));
  const column = (name: string) => {
    const at = head.indexOf(`${model}_${name}`);
    if (at < 0) throw new RangeError(`the file has no column ${model}_${name}`);
    return at;
  };
  const [rateAt, islAt, oslAt] = [column("req_per_s"), column("mean_in"), column("mean_out")];
  let last: LoadPoint = { atMs: 0, rate: 0, isl: 500, osl: 100 };
  const raw = lines.filter((line) => line[rateAt] !== "").map((line): LoadPoint => {
    const number = (at: number, before: number) => line[at] === "" ? before : Number(line[at]);
    return last = {
      atMs: Number(line[0]) * 1000,
      rate: Number(line[rateAt]),
      isl: number(islAt, last.isl),
      osl: number(oslAt, last.osl),
    };
  });
  const mean = raw.reduce((sum, { rate }) => sum + rate, 0) / raw.length;
  return new LoadCurve(raw.map((point) => ({ ...point, rate: point.rate * meanRate / mean })));
}

/** The Azure trace as it is, and the curve of its means over minutes, which a clairvoyant knows. */
export function azureLoad(
  csv: string,
): { readonly requests: LoadRequest[]; readonly curve: LoadCurve } {
  const lines = csv.trim().split("\n").slice(1).map((line) => line.split(","));
  const startMs = Date.parse(`${lines[0][0].replace(" ", "T")}Z`);
  const requests = lines.map(([time, isl, osl]): LoadRequest => ({
    atMs: Date.parse(`${time.replace(" ", "T")}Z`) - startMs,
    isl: Number(isl),
    osl: Number(osl),
  }));
  const minutes = new Map<number, LoadRequest[]>();
  for (const request of requests) {
    const minute = Math.floor(request.atMs / 60_000);
    minutes.set(minute, [...minutes.get(minute) ?? [], request]);
  }
  const mean = (values: readonly number[]) =>
    values.reduce((sum, one) => sum + one, 0) / values.length;
  const points = [...minutes].map(([minute, all]): LoadPoint => ({
    atMs: minute * 60_000 + 30_000,
    rate: all.length / 60,
    isl: mean(all.map((one) => one.isl)),
    osl: mean(all.map((one) => one.osl)),
  }));
  return { requests, curve: new LoadCurve(points) };
}
