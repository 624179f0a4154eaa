import type { LedgerEntry, RouteRequest, WorkerRank } from "@pixii/wire";
import { frontend } from "./router_world.ts";
import { modelHash } from "./samples.ts";

/** What a frontend says of a decision it took. */
export function bookOf(request: RouteRequest, worker: WorkerRank, prefillTokens = 64): LedgerEntry {
  const { requestId, attempt, leg } = request;
  return {
    ...{ op: "book", requestId, attempt, leg, model: modelHash, worker, frontend },
    ...{ prefillTokens, blocks: 4 },
  };
}

/** What it says of the request later. */
export function factOf(op: "first-token" | "complete", request: RouteRequest): LedgerEntry {
  const { requestId, attempt, leg } = request;
  return { op, requestId, attempt, leg };
}
