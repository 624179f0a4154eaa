import type { Chance, Clock, Log, Registry, StartError } from "@pixii/runtime";
import type { DevPlan } from "./dev_config.ts";
import type { Fleet } from "./fleet.ts";
import type { Env } from "./models/cache_folder.ts";
import type { Roster } from "./roster.ts";
import type { RunFolder } from "./run_folder.ts";
import type { Program } from "./service_args.ts";

/** What a cluster is started from, in either topology. */
export interface ClusterOptions {
  readonly plan: DevPlan;
  readonly programs: readonly Program[];
  readonly namespace: string;
  /** Log filter of all programs. */
  readonly logFilter: string;
  /** HOST:PORT of the HTTP API. */
  readonly listen: string;
  readonly env: Env;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly runFolder: RunFolder;
  /** Takes the programs' log lines. */
  readonly line: (text: string) => void;
  /** Aborts when the start is given up. */
  readonly signal: AbortSignal;
}

/** Programs that run together. */
export interface Cluster {
  /** URL of the message bus, for scripts. */
  readonly nats: string;
  /** URL of the registry. */
  readonly etcd: string;
  readonly roster: Roster;
  readonly registry: Registry;
  /** The child processes. */
  readonly fleet: Fleet;
  /** Instance ids of all programs as they run now, without those that are leaving. */
  instances(): readonly string[];
  /** Of those, the ones that the cluster is not whole without: not the workers that came by scaling. */
  needed(): readonly string[];
  /** Resolves when a program ends before `markReady`, or one that nobody can start again fails. */
  readonly failed: Promise<StartError>;
  /** From now on a program that ends is started again. */
  markReady(): void;
  /** Drains in order, the frontend first; `hurry` ends everything at once. */
  stop(hurry: AbortSignal): Promise<void>;
}

/** Longest drain of one group of programs before it is killed; above the services' own limit of 30 s. */
export const drainGraceMs = 35_000;
