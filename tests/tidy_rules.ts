/** The members and what each may import: the edge table of the house. */
export const edges: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  runtime: ["wire"],
  frontend: ["wire", "runtime"],
  router: ["wire", "runtime"],
  planner: ["wire", "runtime"],
  workers: ["wire", "runtime"],
  kvbm: ["wire", "runtime"],
  cluster: ["wire", "runtime", "frontend", "router", "planner", "workers", "kvbm"],
  tests: [
    "wire",
    "runtime",
    "frontend",
    "router",
    "planner",
    "workers",
    "kvbm",
    "cluster",
    "bench",
  ],
  bench: ["wire", "runtime", "frontend", "router", "planner", "workers", "kvbm", "cluster"],
  models: ["workers"],
};

/** Members with the service skeleton. */
export const services = ["frontend", "router", "planner", "workers", "kvbm"] as const;

/** Longest file that is let through, in lines; over `fileWarnLines` it is named. */
export const fileStopLines = 500;
/** Files over this are listed as a warning. */
export const fileWarnLines = 300;
/** Longest function, in lines. */
export const functionStopLines = 70;

/** File names that say nothing. */
export const bannedFileNames: readonly string[] = [
  "utils",
  "util",
  "helpers",
  "helper",
  "common",
  "types",
  "shared",
  "misc",
];

/** What only the named files may use: time, chance, ids, threads, digests. Tests and scripts are free. */
export const guarded: readonly { readonly what: RegExp; readonly only: readonly RegExp[] }[] = [
  {
    what:
      /\b(setTimeout|setInterval|Date\.now|performance\.now|AbortSignal\.timeout)\b|new Date\(\)/,
    only: [/^runtime\/clock_system\.ts$/, /^bench\//, /^models\//],
  },
  {
    what: /\b(Math\.random|crypto\.getRandomValues|crypto\.randomUUID)\b/,
    only: [/^runtime\/chance_system\.ts$/],
  },
  {
    what: /\bcrypto\./,
    only: [
      /^runtime\/chance_system\.ts$/,
      /digest\.ts$/,
      /^bench\//,
    ],
  },
  { what: /\bnew Worker\b/, only: [/^runtime\/threads_deno\.ts$/] },
  {
    what: /\bDeno\.dlopen\b|\bDeno\.Unsafe/,
    only: [/^workers\/llama\//, /^runtime\/(libc|shared_memory)\.ts$/],
  },
  {
    what: /\bDeno\.(connect|listen|connectTls|listenTls)\b/,
    only: [/^runtime\//, /^cluster\//, /^bench\//],
  },
  {
    what: /\bDeno\.env\b/,
    only: [
      /^runtime\//,
      /^cluster\//,
      /^bench\//,
      /^models\//,
      // It sets a variable of ggml before loading it.
      /^workers\/llama\/library\.ts$/,
    ],
  },
  {
    what: /\bconsole\./,
    only: [/^runtime\//, /^cluster\//, /^bench\//, /^models\//, /^tests\/run/],
  },
];

/** What nothing in a `core/` folder may contain. */
export const impure =
  /\bawait\b|\basync\b|\bDeno\.|\bfetch\(|\bsetTimeout\b|\bDate\.now\b|\bperformance\.|\bMath\.random\b|\bcrypto\.|\bconsole\.|\bnew Worker\b|\blog\.(debug|info|warn|error)\b/;
