import type { Failure, WorkerRank } from "@pixii/wire";
import type { InboxReader } from "./inbox.ts";

/** A stream at a worker that is kept alive and watched. */
export interface Followed extends InboxReader {
  readonly worker: WorkerRank;
  /** The next output index wanted: acknowledges all before it. */
  readonly next: number;
  /** True once the worker took it. */
  readonly isAccepted: boolean;
  /** When the worker last said anything about it. */
  readonly heardMs: number;
  /** Asks the worker for everything from the next index on. */
  resume(cause: string): void;
  /** The worker is lost. */
  abandon(failure: Failure): void;
}
