import type { LoadCase, LoadResult } from "./load_case.ts";

/** One row group of `bench:serve`. */
export interface ServeCase {
  /** The middle of its figures' names. */
  readonly name: string;
  readonly load: Pick<
    LoadCase,
    "concurrency" | "requests" | "warmup" | "sharedWords" | "ownWords" | "outputTokens" | "stream"
  >;
  /** Share of the requests that a slower peer is given, so that its runs take about as long. */
  readonly peerShare: number;
  readonly metrics: readonly {
    readonly name: string;
    readonly of: keyof LoadResult;
    readonly unit: string;
    readonly better: "higher" | "lower";
  }[];
}

const reqs = { name: "reqs", of: "requestsPerSecond", unit: "1/s", better: "higher" } as const;

/** The cases, as their figures name them: ISL words x OSL tokens, concurrency. */
export const serveCases: readonly ServeCase[] = [
  {
    name: "512x256.c64",
    load: {
      ...{ concurrency: 64, requests: 4096, warmup: 256, sharedWords: 0, ownWords: 512 },
      ...{ outputTokens: 256, stream: true },
    },
    peerShare: 0.25,
    metrics: [reqs, { name: "ttft_p50", of: "ttftP50", unit: "ms", better: "lower" }],
  },
  {
    name: "16x16.c32",
    load: {
      ...{ concurrency: 32, requests: 20_000, warmup: 1000, sharedWords: 0, ownWords: 16 },
      ...{ outputTokens: 16, stream: true },
    },
    peerShare: 0.15,
    metrics: [reqs],
  },
  {
    name: "16x1.c32",
    load: {
      ...{ concurrency: 32, requests: 24_000, warmup: 2000, sharedWords: 0, ownWords: 16 },
      ...{ outputTokens: 1, stream: false },
    },
    peerShare: 0.3,
    metrics: [reqs],
  },
  {
    name: "16x1.c1",
    load: {
      ...{ concurrency: 1, requests: 3000, warmup: 500, sharedWords: 0, ownWords: 16 },
      ...{ outputTokens: 1, stream: false },
    },
    peerShare: 0.5,
    metrics: [{ name: "p50", of: "totalP50", unit: "ms", better: "lower" }],
  },
  {
    name: "60k.c32",
    load: {
      ...{ concurrency: 32, requests: 1200, warmup: 64, sharedWords: 48_000, ownWords: 12_000 },
      ...{ outputTokens: 16, stream: true },
    },
    peerShare: 0.1,
    metrics: [reqs],
  },
];
