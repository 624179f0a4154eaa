import { fail, ok, workerProfile, WorkerTimes } from "@pixii/wire";
import type { ModelCard, Result, WorkerProfile } from "@pixii/wire";

/** Measured times of workers: of their cards, else of the files that the planner was given. */
export class ProfileShelf {
  readonly #files: readonly WorkerProfile[];
  readonly #problems: string[];
  readonly #made = new WeakMap<WorkerProfile, WorkerTimes>();

  /** `problems`: of files that could not be read. */
  constructor(files: readonly WorkerProfile[], problems: readonly string[] = []) {
    this.#files = files;
    this.#problems = [...problems];
  }

  /** What is wrong, for people. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Times of a model's workers, or nothing where nobody measured one with these weights. */
  timesOf(cards: readonly ModelCard[]): WorkerTimes | undefined {
    const profile = cards.find((card) => card.profile !== undefined)?.profile ??
      this.#files.find(({ model, modelDigest }) =>
        cards.some((card) =>
          // Dynamo's profiles do not say whose weights they are; then the name does.
          modelDigest === "" ? card.name === model : card.modelDigest === modelDigest
        )
      );
    if (profile === undefined) return undefined;
    let times = this.#made.get(profile);
    if (times === undefined) this.#made.set(profile, times = new WorkerTimes(profile));
    return times;
  }

  /** Why a model has no times, in words that say what to do. */
  whyNone(cards: readonly ModelCard[]): string {
    const others = this.#files.map(({ model, modelDigest }) =>
      `the profile of ${model} is for weights ${modelDigest.slice(0, 12)}`
    );
    const [card] = cards;
    const mine = card === undefined ? "" : ` with weights ${card.modelDigest.slice(0, 12)}`;
    const said = others.length === 0 ? "" : ` (${others.join("; ")})`;
    return `no measured profile of ${
      card?.name ?? "the model"
    }${mine}${said}: deno task profile makes one`;
  }
}

/** Reads profiles; one that cannot be used is a problem in words and is left out. */
export async function openProfiles(paths: readonly string[]): Promise<ProfileShelf> {
  const files: WorkerProfile[] = [];
  const problems: string[] = [];
  for (const path of paths) {
    const read = await readProfile(path);
    if (read.ok) files.push(read.value);
    else problems.push(read.error.message);
  }
  return new ProfileShelf(files, problems);
}

async function readProfile(path: string): Promise<Result<WorkerProfile>> {
  const refuse = (why: string) =>
    fail("invalid_request", `Cannot use the profile ${path}: ${why}; deno task profile makes one`);
  let value: unknown;
  try {
    value = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    return refuse((error as Error).message);
  }
  const parsed = workerProfile.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  return refuse(`${issue.path.join(".")}: ${issue.message}`);
}
