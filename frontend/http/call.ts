import type { RequestId } from "@pixii/wire";
import type { Chance, Clock, Log } from "@pixii/runtime";
import type { FrontendConfig } from "../config.ts";
import type { ModelDirectory } from "../generation/model_directory.ts";
import type { Generator } from "../generation/stream.ts";
import type { FrontendMetrics } from "../metrics.ts";

/** What every route of the API works with. */
export interface ApiParts {
  readonly config: FrontendConfig;
  readonly directory: ModelDirectory;
  readonly generator: Generator;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: FrontendMetrics;
  /** True once the frontend takes no new work. */
  isDraining(): boolean;
}

/** One HTTP request on its way. */
export interface Call {
  readonly request: Request;
  readonly url: URL;
  readonly requestId: RequestId;
  /** Headers of the answer; `x-request-id` is there. */
  readonly headers: Headers;
}

/** Longest `x-request-id` of a client that is echoed, in characters. */
const longestClientId = 128;

/** A call of a request: the client's `x-request-id` is echoed, else ours is told. */
export function callOf(request: Request, chance: Chance): Call {
  const requestId = chance.requestId();
  const own = request.headers.get("x-request-id") ?? "";
  const isFit = own.length > 0 && own.length <= longestClientId && /^[!-~]+$/.test(own);
  const headers = new Headers({ "x-request-id": isFit ? own : requestId });
  return { request, url: new URL(request.url), requestId, headers };
}
