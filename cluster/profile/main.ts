import {
  configureLog,
  denoThreads,
  parseConfig,
  renderHelp,
  standardError,
  StartError,
  systemClock,
  wantsHelp,
} from "@pixii/runtime";
import type { WorkerProfile } from "@pixii/wire";
import { splitPassthrough } from "../passthrough.ts";
import { ensureModel } from "../models/store.ts";
import { textProgress } from "../models/progress.ts";
import { profileSvg } from "./core/profile_svg.ts";
import { profileFromDynamo } from "./core/dynamo_profile.ts";
import { readDynamoFiles } from "./dynamo_files.ts";
import { machineName } from "./machine_name.ts";
import { profileSchema } from "./profile_config.ts";
import type { ProfileConfig } from "./profile_config.ts";
import { runProfile } from "./run_profile.ts";

const encoder = new TextEncoder();
const write = (text: string) => void Deno.stderr.writeSync(encoder.encode(text));

/** `deno task profile`: measures a worker. Exit codes: 0 done, 1 failed, 2 bad usage, 3 the model is missing. */
async function main(): Promise<number> {
  if (wantsHelp(Deno.args)) {
    const about = "measures how long a worker takes, for --profile and --sim-profile of a worker";
    console.log(renderHelp(profileSchema, "deno task profile", about));
    console.log("--worker.FLAG goes to the worker that is measured: --worker.sim-speed 10");
    return 0;
  }
  const env = Deno.env.toObject();
  const { own, passed } = splitPassthrough(Deno.args);
  const parsed = parseConfig(profileSchema, { args: own, env });
  if ("problems" in parsed) {
    for (const problem of parsed.problems) console.error(problem);
    return 2;
  }
  const { config } = parsed;
  configureLog([], standardError());
  const clock = systemClock();
  if (config.dynamo !== "") return await convert(config, new Date(clock.wallMs()));
  const isTerminal = Deno.stderr.isTerminal();
  const progress = textProgress({ write, bar: isTerminal, nowMs: () => clock.nowMs() });
  const folders = config.engine === "sim";
  const model = await ensureModel(config.model, { env, clock, progress, download: true, folders });
  if (!model.ok) {
    console.error(model.error.message);
    return model.error.code === "invalid_request" ? 2 : 3;
  }
  const folder = await Deno.makeTempDir({ prefix: "pixii-profile-" });
  try {
    const profile = await runProfile({
      ...{ engine: config.engine, grid: config.grid, threads: config.threads, ctx: config.ctx },
      ...{ model: model.value, maxSeqs: config["max-seqs"], workerArgs: passed.worker },
      ...{ clock, threadsPort: denoThreads(), folder, write, isTerminal },
      machine: await machineName(),
    });
    if (!profile.ok) throw new StartError(profile.error.message);
    await save(profile.value, config.out || `${model.value.name}.profile.json`, config.plot);
    return 0;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(error.message);
    return error.exitCode;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** `--dynamo`: from Dynamo's files to ours. */
async function convert(config: ProfileConfig, now: Date): Promise<number> {
  const { dynamo, model, digest, out, plot } = config;
  const arrays = await readDynamoFiles(dynamo);
  const profile = arrays.ok
    ? profileFromDynamo(arrays.value, {
      ...{ model, modelDigest: digest, source: dynamo.split("/").findLast((part) => part !== "")! },
      measuredAt: now.toISOString().slice(0, 19) + "Z",
    })
    : arrays;
  if (!profile.ok) {
    console.error(profile.error.message);
    return 1;
  }
  await save(profile.value, out || `${model.replaceAll("/", "-")}.profile.json`, plot);
  return 0;
}

async function save(profile: WorkerProfile, path: string, plot: boolean): Promise<void> {
  await Deno.writeTextFile(path, `${JSON.stringify(profile, null, 1)}\n`);
  console.log(`profile   ${path}`);
  if (!plot) return;
  const picture = `${path.replace(/\.json$/, "")}.svg`;
  await Deno.writeTextFile(picture, profileSvg(profile));
  console.log(`picture   ${picture}`);
}

if (import.meta.main) Deno.exit(await main());
