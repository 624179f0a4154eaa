import { Hono } from "hono";
import type { Context } from "hono";
import type { InstanceId, ServiceName } from "@pixii/wire";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { mergeExpositions } from "./metrics_prometheus.ts";
import { RouteAnswer } from "./service.ts";
import type { Health, Service } from "./service.ts";
import { StartError } from "./start_error.ts";

/** One service as the admin server shows it. */
export interface AdminPart {
  readonly name: ServiceName;
  readonly instance: InstanceId;
  readonly metrics: Metrics;
  health(): Health;
  /** Asked at each request, since a service has its routes only once it runs. */
  routes(): NonNullable<Service["adminRoutes"]>;
  /** What POST requests do, by path. */
  actions?(): NonNullable<Service["adminActions"]>;
}

type AdminRoutes = NonNullable<Service["adminRoutes"]>;

/** Where an admin server listens. */
export interface AdminAddress {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/**
 * `/health`, `/live` and `/metrics` of one or several services on one port. Each service answers below `/SERVICE/`;
 * the root answers for all of them, and for a service that is alone as if there were no prefix.
 */
export class AdminServer implements AsyncDisposable {
  readonly #parts = new Map<string, AdminPart>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #host: string;

  private constructor(server: (app: AdminServer) => Deno.HttpServer<Deno.NetAddr>, host: string) {
    this.#host = host;
    this.#server = server(this);
  }

  /** Listens at once; throws `StartError` where the address cannot be had. */
  static open(address: AdminAddress, log: Log): AdminServer {
    const { host, port } = address;
    try {
      return new AdminServer((admin) => {
        const app = adminApp(admin.#parts, log);
        return Deno.serve(
          { hostname: host, port, onListen: () => {} },
          (request) => app.fetch(request),
        );
      }, host);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StartError(
        `Cannot open the admin port: ${host}:${port} must be free, got ${reason}; ` +
          "choose another with --admin-port, or 0 for any",
      );
    }
  }

  /** `http://127.0.0.1:1234`, reachable from this machine. */
  get url(): string {
    const host = ["0.0.0.0", "::", "[::]"].includes(this.#host) ? "127.0.0.1" : this.#host;
    return `http://${host.includes(":") ? `[${host}]` : host}:${this.#server.addr.port}`;
  }

  /** Shows a service below `/SERVICE` until disposed. Two services of one name on one server are a bug. */
  mount(part: AdminPart): Disposable {
    if (this.#parts.has(part.name)) {
      throw new Error(`Cannot mount ${part.name}: the admin server already has one`);
    }
    this.#parts.set(part.name, part);
    return { [Symbol.dispose]: () => void this.#parts.delete(part.name) };
  }

  /** Answers what is under way, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function adminApp(parts: ReadonlyMap<string, AdminPart>, log: Log): Hono {
  const app = new Hono();
  app.get("/live", (c) => c.json({ status: "live" }));
  app.get("/health", (c) => {
    const all = [...parts.values()].map(healthOf);
    if (all.length === 1) return answerHealth(c, all[0]);
    const services = Object.fromEntries(all.map((one) => [one.service, one]));
    return answerHealth(c, { status: worstOf(all.map((one) => one.status)), services });
  });
  app.get("/metrics", async (c) => {
    const texts = await Promise.all([...parts.values()].map((part) => part.metrics.text()));
    return metricsAnswer(c, mergeExpositions(texts));
  });
  app.get("/*", async (c) => {
    const url = new URL(c.req.url);
    const [, first, ...rest] = url.pathname.split("/");
    const named = parts.get(first);
    if (named !== undefined) return await answerPart(c, named, "/" + rest.join("/"), url);
    const alone = parts.size === 1 ? [...parts.values()][0] : undefined;
    return alone === undefined ? notFound(c) : await answerPart(c, alone, url.pathname, url);
  });
  app.post("/*", async (c) => {
    const url = new URL(c.req.url);
    const [, first, ...rest] = url.pathname.split("/");
    const named = parts.get(first);
    const alone = parts.size === 1 ? [...parts.values()][0] : undefined;
    const actions = (named ?? alone)?.actions?.() ?? {};
    const path = named === undefined ? url.pathname : "/" + rest.join("/");
    if (!Object.hasOwn(actions, path)) {
      return c.json(errorBody("method_not_allowed", "Only GET is served here"), 405);
    }
    // A page in a browser cannot send this without asking first, so none can act here.
    if (c.req.header("content-type") !== "application/json") {
      const message = "An action wants the header content-type: application/json";
      return c.json(errorBody("unsupported_media_type", message), 415);
    }
    return asJson(c, await actions[path](url));
  });
  app.all("/*", (c) => c.json(errorBody("method_not_allowed", "Only GET is served here"), 405));
  app.onError((error, c) => {
    log.error("admin request failed", { path: c.req.path, error });
    return c.json(errorBody("internal", "The log has more"), 500);
  });
  return app;
}

async function answerPart(
  c: Context,
  part: AdminPart,
  path: string,
  url: URL,
): Promise<Response> {
  if (path === "/health") return answerHealth(c, healthOf(part));
  if (path === "/live") return c.json({ status: "live" });
  if (path === "/metrics") return metricsAnswer(c, await part.metrics.text());
  const routes = part.routes();
  const name = routeName(routes, path);
  if (name === undefined) return notFound(c);
  return asJson(c, await routes[name](url));
}

function asJson(c: Context, answer: unknown): Response {
  if (!(answer instanceof RouteAnswer)) return c.json(answer as Record<string, unknown>);
  return c.json(answer.body, answer.status as 404);
}

/** The route of a path: of that name, or the longest that ends in `/*` and is above it. */
function routeName(routes: AdminRoutes, path: string): string | undefined {
  if (Object.hasOwn(routes, path)) return path;
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const name = `${path.slice(0, at)}/*`;
    if (Object.hasOwn(routes, name)) return name;
  }
  return undefined;
}

interface PartHealth extends Health {
  readonly service: ServiceName;
  readonly instance: InstanceId;
}

function healthOf(part: AdminPart): PartHealth {
  const { status, details } = part.health();
  return { status, service: part.name, instance: part.instance, details };
}

/** A program is ready when all its services are; without any it still starts. */
function worstOf(all: readonly Health["status"][]): Health["status"] {
  if (all.includes("draining")) return "draining";
  return all.length === 0 || all.includes("starting") ? "starting" : "ready";
}

function answerHealth<Body extends Pick<Health, "status">>(c: Context, health: Body): Response {
  return c.json(health, health.status === "ready" ? 200 : 503);
}

function metricsAnswer(c: Context, text: string): Response {
  return c.body(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
}

function notFound(c: Context): Response {
  const message = `No such page: ${c.req.path}; there are /health, /live and /metrics`;
  return c.json(errorBody("route_not_found", message), 404);
}

function errorBody(code: string, message: string): Record<string, unknown> {
  return { error: { message, type: "invalid_request_error", param: null, code } };
}
