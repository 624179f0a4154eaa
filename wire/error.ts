/** What a code of the closed list means to the HTTP edge and to a retry. */
export interface ErrorMeaning {
  /** HTTP status at the edge. */
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly type:
    | "invalid_request_error"
    | "authentication_error"
    | "rate_limit_error"
    | "server_error"
    | "service_unavailable_error";
  /** True where another attempt, on the same or on another worker, may succeed unchanged. */
  readonly retryable: boolean;
  /** What it means. */
  readonly meaning: string;
}

const bad = (status: number, meaning: string): ErrorMeaning => ({
  status,
  type: "invalid_request_error",
  retryable: false,
  meaning,
});
const down = (status: number, meaning: string): ErrorMeaning => ({
  status,
  type: "service_unavailable_error",
  retryable: true,
  meaning,
});
const broken = (meaning: string): ErrorMeaning => ({
  status: 500,
  type: "server_error",
  retryable: false,
  meaning,
});

/** The closed list: every operating error of every program has one of these codes. */
export const errors = {
  invalid_request: bad(400, "a field is missing, malformed or out of range"),
  invalid_json: bad(400, "the body is not valid JSON or not valid UTF-8"),
  unknown_parameter: bad(400, "a field nobody knows"),
  unsupported_parameter: bad(400, "a known field that is not built yet"),
  context_length_exceeded: bad(400, "the prompt does not fit the model's context"),
  unauthorized: { ...bad(401, "no or wrong API key"), type: "authentication_error" },
  model_not_found: bad(404, "no worker serves this model"),
  route_not_found: bad(404, "no such URL"),
  not_found: bad(404, "the named thing does not exist"),
  method_not_allowed: bad(405, "the URL exists, the method does not"),
  request_timeout: bad(408, "the body did not arrive in time"),
  payload_too_large: bad(413, "the body or the message is over its limit"),
  unsupported_media_type: bad(415, "the body is not application/json"),
  rate_limited: { status: 429, type: "rate_limit_error", retryable: true, meaning: "over a limit" },
  cancelled: bad(499, "the caller went away"),
  overloaded: down(529, "every queue that could take the request is full"),
  no_worker: down(503, "the model is known but no worker can take work"),
  router_unavailable: down(503, "no router answers"),
  bus_unavailable: down(503, "this program has no connection to the message bus"),
  registry_unavailable: down(503, "this program has no connection to the registry"),
  no_responders: down(503, "nobody serves this subject"),
  draining: down(503, "the program is shutting down and takes no new work"),
  stream_unknown: down(503, "the worker does not know this stream"),
  worker_lost: down(503, "the worker died or fell silent"),
  timeout: { ...down(504, "no answer in time"), type: "server_error" },
  engine_failed: { ...broken("the engine failed while it worked on the request"), retryable: true },
  decode_error: broken("bytes that are not a valid message of this protocol version"),
  artifact_invalid: broken("an artifact's digest or content is wrong"),
  internal: broken("a bug; the log has more under the request id"),
} as const satisfies Record<string, ErrorMeaning>;

/** A code of the closed list. */
export type ErrorCode = keyof typeof errors;

/** All codes, for validation. */
export const errorCodes: readonly ErrorCode[] = Object.keys(errors) as ErrorCode[];

/** True when `code` allows another attempt. */
export function isRetryable(code: ErrorCode): boolean {
  return errors[code].retryable;
}
