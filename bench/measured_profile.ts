import { workerProfile } from "@pixii/wire";
import type { WorkerProfile } from "@pixii/wire";

/** What is measured. */
export interface MeasuredModel {
  readonly model: string;
  /** `quick` takes half a minute on an idle machine. */
  readonly grid: string;
  /** More flags of `deno task profile`. */
  readonly flags?: readonly string[];
}

/** Measures a model as `deno task profile` does, into the file at `path`. Throws where that fails. */
export async function measureProfile(path: string, options: MeasuredModel): Promise<void> {
  const main = new URL("../cluster/profile/main.ts", import.meta.url).pathname;
  const { model, grid, flags = [] } = options;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", main, "--model", model, "--out", path, "--no-plot"],
      ...["--grid", grid, ...flags],
    ],
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("the profile could not be measured");
}

/** The profile at `path`. Throws where it is none. */
export async function readProfile(path: string): Promise<WorkerProfile> {
  return workerProfile.parse(JSON.parse(await Deno.readTextFile(path)));
}
