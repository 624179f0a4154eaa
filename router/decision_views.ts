import type { DecisionReport, InstanceId } from "@pixii/wire";
import { RouteAnswer } from "@pixii/runtime";
import type { Service } from "@pixii/runtime";
import { explainDecision } from "./core/explain.ts";
import type { RouterState } from "./core/router_state.ts";

/** Decisions of a list unless `limit` asks for fewer or more. */
const usualDecisions = 100;
/** Where decisions are answered; one lies below by request id, or by the client's `x-request-id`, percent-encoded. */
const root = "/v1/pixii/decisions";
/** Where one is told in words. */
const words = "/v1/pixii/explain";

/** What `/v1/pixii/decisions` and `/v1/pixii/decisions/{id}` answer. */
export interface DecisionsView {
  readonly router: InstanceId;
  /** Decisions kept now, and at most. */
  readonly kept: number;
  readonly capacity: number;
  /** Newest first. */
  readonly decisions: readonly DecisionReport[];
}

/** What `/v1/pixii/explain/{id}` answers: every decision about the request, newest first, as lines for people. */
export interface DecisionWords {
  readonly decisions: readonly { readonly lines: readonly string[] }[];
}

/**
 * The admin routes of decisions: `/v1/pixii/decisions?limit=&request=&model=&worker=&policy=`, `/v1/pixii/decisions/{id}`
 * (404 where none is kept), the same in words at `/v1/pixii/explain/{id}`, and the bare list at `/decisions`.
 */
export function decisionRoutes(state: () => RouterState): NonNullable<Service["adminRoutes"]> {
  return {
    "/decisions": (url) => reportsOf(state(), url),
    [root]: (url): DecisionsView => viewOf(state(), reportsOf(state(), url)),
    [`${root}/*`]: (url) => oneView(state(), url, root),
    [`${words}/*`]: (url): DecisionWords | RouteAnswer => {
      const view = oneView(state(), url, words);
      if (view instanceof RouteAnswer) return view;
      return { decisions: view.decisions.map((one) => ({ lines: explainDecision(one) })) };
    },
  };
}

function viewOf(state: RouterState, decisions: readonly DecisionReport[]): DecisionsView {
  const { size: kept, capacity } = state.decisions;
  return { router: state.router, kept, capacity, decisions };
}

function reportsOf({ decisions }: RouterState, url: URL): readonly DecisionReport[] {
  const { searchParams } = url;
  const asked = (name: string) => searchParams.get(name) ?? undefined;
  const limit = Number(asked("limit") ?? usualDecisions);
  const most = Number.isInteger(limit) && limit >= 0 ? limit : usualDecisions;
  const filter = {
    ...{ id: asked("request"), model: asked("model") },
    ...{ worker: asked("worker"), policy: asked("policy") },
  };
  return decisions.latest({ most, ...filter }).map((kept) => kept.report());
}

function oneView(state: RouterState, url: URL, path: string): DecisionsView | RouteAnswer {
  const last = url.pathname.slice(url.pathname.indexOf(`${path}/`) + path.length + 1);
  const id = decoded(last);
  const { size, capacity } = state.decisions;
  const found = id === undefined ? [] : state.decisions.latest({ most: usualDecisions, id });
  if (found.length > 0) return viewOf(state, found.map((kept) => kept.report()));
  const why = capacity === 0
    ? "this router keeps none (--decisions-keep 0)"
    : `this router keeps its last ${capacity} and now has ${size}`;
  return new RouteAnswer(404, {
    error: {
      message:
        `No decision of request ${
          id ?? last
        }: ${why}; another router may have made it, or it is older ` +
        "(--decisions-keep N keeps more, --decisions-file PATH keeps them on disk)",
      type: "invalid_request_error",
      param: "id",
      code: "not_found",
    },
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A broken escape names no request.
    return undefined;
  }
}
