import type { RequestId } from "@pixii/wire";
import type { Chance, Clock, Log } from "@pixii/runtime";
import type { FrontendConfig } from "../config.ts";
import type { ModelDirectory } from "../generation/model_directory.ts";
import type { Generator } from "../generation/stream.ts";
import type { FrontendMetrics } from "../metrics.ts";
import type { Outbox } from "./outbox.ts";
import type { BodyReader } from "./request_body.ts";

/** What the HTTP edge is given. */
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

/** What every route works with. */
export interface RouteParts extends ApiParts {
  readonly bodies: BodyReader;
  readonly outbox: Outbox;
}

/** One HTTP request on its way. */
export interface Call {
  readonly request: Request;
  /** Path of the URL as it was sent, percent-encoding kept. */
  readonly path: string;
  readonly requestId: RequestId;
  /** The client's own `x-request-id`, where it is echoed. */
  readonly clientId: string | undefined;
  /** Headers of the answer; `x-request-id` is there. */
  readonly headers: Headers;
}

/** Longest `x-request-id` of a client that is echoed, in characters. */
export const longestClientId = 128;

/** A call of a request: the client's `x-request-id` is echoed where it is 1 to 128 visible ASCII characters, else ours is told. */
export function callOf(request: Request, chance: Chance): Call {
  const requestId = chance.requestId();
  const own = request.headers.get("x-request-id") ?? "";
  const isFit = own.length > 0 && own.length <= longestClientId && /^[!-~]+$/.test(own);
  const headers = new Headers({ "x-request-id": isFit ? own : requestId });
  const clientId = isFit ? own : undefined;
  return { request, path: pathOf(request.url), requestId, clientId, headers };
}

/** The path of a URL. Not parsed further: a `Host` that is no host must not break the request that names it. */
export function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  const fragment = url.indexOf("#", start);
  const ends = [query, fragment].filter((at) => at >= 0);
  return url.slice(start, ends.length === 0 ? url.length : Math.min(...ends));
}
