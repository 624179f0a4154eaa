import { missingRoles } from "@pixii/wire";
import type { InstanceId, Role, ScaleRecord } from "@pixii/wire";

/** Workers of one model that a launcher runs at a time, those that are ending counted; what is asked beyond is left out. */
export const mostScaledWorkers = 64;

/** A worker of the model that this launcher started. */
export interface OwnWorker {
  /** Names it for as long as it is kept running; its instance id changes with every restart. */
  readonly label: string;
  readonly instance: string;
  /** What it does, or will do once it serves. */
  readonly role: Role;
  /** It was told to end and is not gone yet. */
  readonly isLeaving: boolean;
}

/** What there is of a model. */
export interface ScaleSight {
  /** The oldest first. */
  readonly own: readonly OwnWorker[];
  /** Roles of the model's workers that somebody else started. */
  readonly others: readonly Role[];
  /** Workers that were started for this record, kept dying and were given up: they are not tried again for it. */
  readonly givenUp: number;
}

/** What is to be done; nothing where both are empty. */
export interface ScaleStep {
  /** Roles of workers to start. */
  readonly start: readonly Role[];
  /** Labels of workers that end: they drain first. */
  readonly stop: readonly string[];
}

/**
 * What leads from what there is to what a record asks for. A step that was carried out leaves nothing to do: the record can be
 * followed any number of times. Workers of others are counted and never stopped. O(workers).
 */
export function scaleStep(record: ScaleRecord, sight: ScaleSight): ScaleStep {
  const { own, others, givenUp } = sight;
  const staying = own.filter((worker) => !worker.isLeaving);
  const isNamed = ({ instance }: OwnWorker) => record.stop.includes(instance as InstanceId);
  const unnamed = staying.filter((worker) => !isNamed(worker));
  const kept = unnamed.slice(0, record.workers);
  const stop = staying.filter((worker) => !kept.includes(worker)).map(({ label }) => label);
  const missing = record.workers - kept.length - others.length - givenUp;
  // Those that end hold their memory until they are gone.
  const room = mostScaledWorkers - own.length;
  const count = Math.max(0, Math.min(missing, room));
  const there = [...kept.map(({ role }) => role), ...others];
  return { start: missingRoles(record, { there, count }), stop };
}

/** A step for people, in one line. */
export function scaleText(
  model: string,
  { started, stopped, why }: {
    /** Label and role. */
    readonly started: readonly (readonly [string, Role])[];
    readonly stopped: readonly string[];
    readonly why: string;
  },
): string {
  const parts = [
    ...started.map(([label, role]) => `starts ${label} (${role})`),
    ...stopped.map((label) => `stops ${label}`),
  ];
  return `scale     ${model}: ${parts.join(", ")}; ${why}`;
}
