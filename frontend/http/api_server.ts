import { fail } from "@pixii/wire";
import type { Failure } from "@pixii/wire";
import { StartError } from "@pixii/runtime";
import type { Health } from "@pixii/runtime";
import type { PageRoutes } from "../page/page_routes.ts";
import { errorAnswer, jsonAnswer } from "./answer.ts";
import { BrokenBody } from "./byte_pipe.ts";
import { callOf } from "./call.ts";
import type { ApiParts, Call, RouteParts } from "./call.ts";
import { answerGeneration } from "./generation_route.ts";
import { answerModel, answerModels, modelsPath } from "./model_routes.ts";
import { Outbox } from "./outbox.ts";
import { BodyReader } from "./request_body.ts";

/** Longest wait at the end for clients to read what was sent to them. */
export const lastReadMs = 5_000;

/** What the API shows of its service. */
export interface ApiPages {
  health(): Health;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** The built-in page, where it is on. */
  readonly page?: PageRoutes;
}

type Answer = (call: Call) => Response | Promise<Response>;

interface Route {
  readonly methods: readonly string[];
  readonly answer: Answer;
}

const reading = ["GET", "HEAD"];

/** The HTTP edge: `Deno.serve` and one look-up per request. */
export class ApiServer implements AsyncDisposable {
  readonly #parts: RouteParts;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #one: Route;
  readonly #page: PageRoutes | undefined;
  readonly #pageRoute: Route;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  private constructor(given: ApiParts, pages: ApiPages) {
    const { clock, config, directory } = given;
    const parts = this.#parts = {
      ...given,
      outbox: new Outbox(clock),
      bodies: new BodyReader({
        clock,
        mostBytes: config["max-body"],
        timeoutMs: config["body-timeout"],
      }),
    };
    const post = (kind: "chat" | "text"): Route => ({
      methods: ["POST"],
      answer: (call) => answerGeneration(kind, parts, call),
    });
    const get = (answer: Answer): Route => ({ methods: reading, answer });
    this.#routes = new Map([
      ["/v1/chat/completions", post("chat")],
      ["/v1/completions", post("text")],
      [modelsPath, get((call) => answerModels(directory, call))],
      ["/health", get((call) => healthAnswer(pages.health(), call))],
      ["/live", get((call) => jsonAnswer(200, `{"status":"live"}`, call.headers))],
      ["/metrics", get((call) => metricsAnswer(pages, call))],
    ]);
    this.#one = get((call) => answerModel(directory, call));
    const page = this.#page = pages.page;
    this.#pageRoute = get((call) => page!.answer(call));
    const { host: hostname, port } = config;
    this.#server = Deno.serve({
      ...{ hostname, port, onListen: () => {} },
      onError: (error) => this.#broke(error),
    }, (request) => this.#handle(request));
  }

  /** Listens at once; throws `StartError` where the address cannot be had. */
  static open(parts: ApiParts, pages: ApiPages): ApiServer {
    try {
      return new ApiServer(parts, pages);
    } catch (error) {
      const { host, port } = parts.config;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StartError(
        `Cannot open the API: ${host}:${port} must be free, got ${reason}; ` +
          "choose another with --port, or 0 for any",
      );
    }
  }

  /** `http://127.0.0.1:8000`, reachable from this machine. */
  get url(): string {
    const { host } = this.#parts.config;
    const shown = ["0.0.0.0", "::", "[::]"].includes(host) ? "127.0.0.1" : host;
    return `http://${shown.includes(":") ? `[${shown}]` : shown}:${this.#server.addr.port}`;
  }

  /** Takes nothing new, sends what is being sent, and closes; clients that do not read are not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, log, outbox } = this.#parts;
    const late = Promise.withResolvers<"late">();
    using _limit = clock.timer(lastReadMs, () => late.resolve("late"));
    if (await Promise.race([this.#server.shutdown(), late.promise]) === "late") {
      log.warn("clients did not read their answers to the end", { waitedMs: lastReadMs });
    }
    outbox[Symbol.dispose]();
  }

  async #handle(request: Request): Promise<Response> {
    const { chance, clock, log } = this.#parts;
    const startMs = clock.nowMs();
    const call = callOf(request, chance);
    const response = await this.#answer(call);
    log.debug("answered", {
      ...{ method: request.method, path: call.path, status: response.status },
      ...{ ms: Math.round(clock.nowMs() - startMs), requestId: call.requestId },
      clientId: call.headers.get("x-request-id"),
    });
    return response;
  }

  async #answer(call: Call): Promise<Response> {
    const { path } = call;
    const isOne = path.length > modelsPath.length + 1 && path.startsWith(`${modelsPath}/`);
    const route = this.#routes.get(path) ?? (isOne ? this.#one : undefined) ??
      (this.#page?.has(path) ? this.#pageRoute : undefined);
    if (route === undefined) return errorAnswer(this.#noRoute(path), call.headers);
    const { method } = call.request;
    if (!route.methods.includes(method)) {
      call.headers.set("allow", route.methods.join(", "));
      return errorAnswer(wrongMethod(method, path, route.methods), call.headers);
    }
    try {
      return await route.answer(call);
    } catch (error) {
      this.#parts.log.error("request failed by a bug", { requestId: call.requestId, error });
      return errorAnswer(bug(call.requestId), call.headers);
    }
  }

  #noRoute(path: string): Failure {
    const known = [...this.#routes.keys(), `${modelsPath}/{id}`].join(", ");
    return fail("route_not_found", `No such route: ${cut(path)}; there are ${known}`).error;
  }

  /** What no handler caught, or a body that broke on its way, which has its headers already. */
  #broke(error: unknown): Response {
    const requestId = this.#parts.chance.requestId();
    if (!(error instanceof BrokenBody)) {
      this.#parts.log.error("request failed by a bug", { requestId, error });
    }
    return errorAnswer(bug(requestId), new Headers({ "x-request-id": requestId }));
  }
}

function healthAnswer(health: Health, call: Call): Response {
  return jsonAnswer(health.status === "ready" ? 200 : 503, JSON.stringify(health), call.headers);
}

async function metricsAnswer(pages: ApiPages, call: Call): Promise<Response> {
  call.headers.set("content-type", "text/plain; version=0.0.4; charset=utf-8");
  return new Response(await pages.metrics(), { headers: call.headers });
}

function wrongMethod(method: string, path: string, allowed: readonly string[]): Failure {
  const message = `Method ${cut(method)} is not allowed for ${cut(path)}; use ${allowed[0]}`;
  return fail("method_not_allowed", message).error;
}

function bug(requestId: string): Failure {
  const message = `Internal error; the frontend's log has more under request ${requestId}`;
  return fail("internal", message).error;
}

function cut(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}...`;
}
