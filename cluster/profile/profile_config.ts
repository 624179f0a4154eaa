import { type ConfigOf, option } from "@pixii/runtime";

/** The options of `deno task profile`. */
export const profileSchema = {
  model: option.text({
    fallback: "smollm2",
    placeholder: "M",
    help: "What to measure: a path, ORG/REPO[:FILE] of Hugging Face, or a catalog name.",
  }),
  engine: option.choice(["llama", "sim"], {
    fallback: "llama",
    help: "Engine to measure; sim measures how the simulation keeps its time.",
  }),
  out: option.text({
    fallback: "",
    placeholder: "FILE",
    help: "Where the profile goes; empty: NAME.profile.json here. A picture is put beside it.",
  }),
  grid: option.choice(["quick", "small", "full"], {
    fallback: "small",
    help:
      "Points: for smollm2 quick takes half a minute, small two or three minutes, full about ten times that.",
  }),
  threads: option.integer({
    fallback: 1,
    min: 1,
    max: 256,
    help: "Compute threads of the worker: measure with what will serve.",
  }),
  "max-seqs": option.integer({
    fallback: 8,
    min: 1,
    max: 192,
    help: "Requests that the worker computes at a time.",
  }),
  ctx: option.integer({
    fallback: 0,
    min: 0,
    max: 1_048_576,
    help: "Most tokens of prompt plus output; 0 = the model's, up to 8192.",
  }),
  dynamo: option.text({
    fallback: "",
    placeholder: "PATH",
    help:
      "Measures nothing: reads what NVIDIA Dynamo's profiler left (its output folder, or the mocker's .npz) for the model named by --model.",
  }),
  digest: option.text({
    fallback: "",
    placeholder: "SHA256",
    help:
      "With --dynamo: the weights whose profile it is, as their worker's card says; empty = whatever is served under that name.",
    pattern: /^([0-9a-f]{64})?$/,
    rule: "must be 64 hexadecimal digits",
  }),
  plot: option.flag({ fallback: true, help: "Draws the tables into an SVG file beside it." }),
} as const;

/** The config of `deno task profile`. */
export type ProfileConfig = ConfigOf<typeof profileSchema>;
