import type { Clock } from "@pixii/runtime";
import { fail, ok, type Result } from "@pixii/wire";
import { type DevPlan, type ModelPlan, modelPlan } from "./dev_config.ts";
import { parseModelSpec } from "./model_spec.ts";
import type { Env } from "./models/cache_folder.ts";
import { catalogEntry } from "./models/catalog.ts";
import type { Progress } from "./models/progress.ts";
import { ensureModel, type LocalModel, type StoreOptions } from "./models/store.ts";
import type { PlacedModel } from "./service_args.ts";

/** A model that will be served, and a line about it for people. */
export interface ChosenModel extends PlacedModel {
  readonly line: string;
}

/** What fetching models needs. */
export interface ChooseOptions {
  readonly env: Env;
  readonly clock: Clock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * The files of a plan's models. Without `--model`: smollm2 where a source answers, else tiny, with a line that says what it
 * is. Fails as `ensureModel` does, and with `invalid_request` for two equal served names with different files.
 */
export async function chooseModels(
  plan: DevPlan,
  options: ChooseOptions,
): Promise<Result<readonly ChosenModel[]>> {
  const store = { ...options, download: true };
  if (plan.models.length === 0 && plan.config.engine === "sim") {
    const tiny = await ensureModel("tiny", store);
    return tiny.ok ? ok([placed(defaultPlan("tiny", plan), tiny.value)]) : tiny;
  }
  if (plan.models.length === 0) {
    const first = await ensureModel("smollm2", store);
    if (first.ok) return ok([placed(defaultPlan("smollm2", plan), first.value)]);
    if (first.error.code === "cancelled") return first;
    const tiny = await ensureModel("tiny", store);
    if (!tiny.ok) return fail("not_found", `${first.error.message}; ${tiny.error.message}`);
    options.progress.note(
      `smollm2 cannot be had: serving tiny instead (${catalogEntry("tiny")?.about})`,
    );
    return ok([placed(defaultPlan("tiny", plan), tiny.value)]);
  }
  const chosen: ChosenModel[] = [];
  for (const model of plan.models) {
    const local = model.engine === "sim"
      ? await ensureVocabulary(model, store)
      : await ensureModel(model.spec.text, store);
    if (!local.ok) return local;
    const other = chosen.find((one) => one.plan.servedName === model.servedName);
    if (other !== undefined && other.digest !== local.value.digest) {
      return fail(
        "invalid_request",
        `Cannot serve two models as ${model.servedName}: ${other.path} and ${local.value.path} differ; give --served-name`,
      );
    }
    chosen.push(placed(model, local.value));
  }
  return ok(chosen);
}

/** What a simulated model is made of: no weights, so nothing is fetched; `tiny` lends its vocabulary where none is here. */
async function ensureVocabulary(
  model: ModelPlan,
  store: StoreOptions,
): Promise<Result<LocalModel>> {
  const { text, source } = model.spec;
  const local = await ensureModel(text, { ...store, download: false, folders: true });
  const isKnown = source.kind === "hub" ||
    (source.kind === "catalog" && catalogEntry(source.name) !== undefined);
  if (local.ok || local.error.code !== "not_found" || !isKnown) return local;
  const tiny = await ensureModel("tiny", store);
  if (!tiny.ok) return tiny;
  store.progress?.note(`${model.servedName}: simulated with the vocabulary of tiny`);
  return tiny;
}

function defaultPlan(name: string, plan: DevPlan): ModelPlan {
  const spec = parseModelSpec(name);
  if (!spec.ok) throw new Error(spec.error.message);
  return modelPlan(spec.value, plan.config, plan.config["served-name"][0]);
}

function placed(plan: ModelPlan, model: LocalModel): ChosenModel {
  const about = plan.spec.source.kind === "catalog"
    ? catalogEntry(plan.spec.source.name)?.about
    : undefined;
  const { path, digest } = model;
  return {
    plan,
    path,
    digest,
    line: plan.engine === "sim"
      ? `${plan.servedName}: simulated, random words (vocabulary: ${model.origin})`
      : `${plan.servedName}: ${about ?? plan.spec.text} (${model.origin})`,
  };
}
