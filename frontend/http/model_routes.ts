import { fail } from "@pixii/wire";
import type { Failure } from "@pixii/wire";
import type { ModelDirectory, ServedModel } from "../generation/model_directory.ts";
import { errorAnswer, jsonAnswer } from "./answer.ts";
import type { Call } from "./call.ts";

/** Path below which one model is found; ids may hold `/`. */
export const modelsPath = "/v1/models";

/** `GET /v1/models`. */
export function answerModels(directory: ModelDirectory, call: Call): Response {
  const data = [...directory.list()].sort((a, b) => a.name < b.name ? -1 : 1).map(modelShape);
  return jsonAnswer(200, JSON.stringify({ object: "list", data }), call.headers);
}

/** `GET /v1/models/{id}`. */
export function answerModel(directory: ModelDirectory, call: Call): Response {
  const id = decodedId(call.path.slice(modelsPath.length + 1));
  const model = directory.find(id);
  if (model === undefined) return errorAnswer(unknownModel(id), call.headers);
  return jsonAnswer(200, JSON.stringify(modelShape(model)), call.headers);
}

/** The failure for a model that nobody serves. */
export function unknownModel(name: string): Failure {
  const shown = name.length <= 96 ? name : `${name.slice(0, 96)}...`;
  const message = `The model '${shown}' does not exist here; GET /v1/models lists what is served`;
  return fail("model_not_found", message, { param: "model" }).error;
}

function modelShape(model: ServedModel): Record<string, unknown> {
  return {
    id: model.name,
    object: "model",
    created: model.createdAt,
    owned_by: "pixii",
    context_length: model.contextLength,
    max_model_len: model.contextLength,
    ...(model.isAsleep ? { asleep: true } : {}),
  };
}

/** An id that is not valid percent-encoding stays as it is: no model has it. */
function decodedId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
