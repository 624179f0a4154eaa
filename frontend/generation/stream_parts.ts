import type { InstanceId, Subjects } from "@pixii/wire";
import type { Bus, Clock, Log } from "@pixii/runtime";
import type { DemandCount } from "../core/demand_count.ts";
import type { BusLink } from "./bus_link.ts";
import type { Followed } from "./followed.ts";
import type { GenerationMetrics } from "./generation_metrics.ts";
import type { Inbox } from "./inbox.ts";
import type { LedgerWriter } from "./ledger_writer.ts";
import type { RouteClient } from "./route_client.ts";
import type { WakeDesk } from "./wake_desk.ts";
import type { WorkerView } from "./worker_view.ts";

/** What all streams of one generator share. */
export interface StreamParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: GenerationMetrics;
  readonly subjects: Subjects;
  readonly frontend: InstanceId;
  readonly workers: WorkerView;
  readonly link: BusLink;
  readonly ledger: LedgerWriter;
  readonly demand: DemandCount;
  readonly inbox: Inbox<Followed>;
  readonly routes: RouteClient;
  readonly wakes: WakeDesk;
}

/** Wait before a worker is asked again that may still be reconnecting. */
export const settleRetryMs = 100;

/** Why signals of a stream that is over abort: made once, since a fresh exception with its stack is dear. */
export const over: Readonly<Error> = new DOMException("The stream is over", "AbortError");
