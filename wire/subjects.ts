import type { InstanceId, ModelHash } from "./ids.ts";

/** The five programs. */
export const serviceNames = ["frontend", "router", "planner", "worker", "kvbm"] as const;
/** One of the five programs. */
export type ServiceName = typeof serviceNames[number];

/** True where `text` may be a namespace: 1-64 of `a-z A-Z 0-9 _ -`, safe in a subject and in a key. */
export function isNamespace(text: string): boolean {
  return /^[a-zA-Z0-9_-]{1,64}$/.test(text);
}

/** Every NATS subject, as functions of the namespace; no subject text exists elsewhere. */
export function subjects(namespace: string): Subjects {
  const root = `pixii.v1.${namespace}`;
  return {
    route: (model) => `${root}.route.${model}`,
    ledger: `${root}.ledger`,
    generate: (worker) => `${root}.gen.${worker}`,
    control: (instance) => `${root}.ctl.${instance}`,
    notices: (frontend) => `${root}.notices.${frontend}`,
    inbox: (frontend) => `${root}.inbox.${frontend}`,
    kvEvents: (owner) => `${root}.kv.${owner}`,
    allKvEvents: `${root}.kv.*`,
    kvBeat: (owner) => `${root}.beat.${owner}`,
    allKvBeats: `${root}.beat.*`,
    load: (worker) => `${root}.load.${worker}`,
    allLoad: `${root}.load.*`,
    demand: (frontend) => `${root}.demand.${frontend}`,
    allDemand: `${root}.demand.*`,
  };
}

/** Subjects of one namespace. */
export interface Subjects {
  /** Route requests of a model; queue group `router`. */
  route(model: ModelHash): string;
  /** `book`, `first-token`, `complete`: every router subscribes, without a queue group. */
  readonly ledger: string;
  /** Generate requests to one worker. */
  generate(worker: InstanceId): string;
  /** cancel, renew, resume, artifact, snapshot, role of one instance. */
  control(instance: InstanceId): string;
  /** Word of routers to one frontend about its requests that wait. */
  notices(frontend: InstanceId): string;
  /** Step frames to one frontend. */
  inbox(frontend: InstanceId): string;
  /** KV events of one owner. */
  kvEvents(owner: InstanceId): string;
  /** KV events of every owner. */
  readonly allKvEvents: string;
  /** Heartbeats of one block manager's KV events. */
  kvBeat(owner: InstanceId): string;
  /** Those of every block manager. */
  readonly allKvBeats: string;
  /** Load reports of one worker. */
  load(worker: InstanceId): string;
  /** Load reports of every worker. */
  readonly allLoad: string;
  /** What one frontend was asked for. */
  demand(frontend: InstanceId): string;
  /** What every frontend was asked for. */
  readonly allDemand: string;
}

/** The queue group of the routers. */
export const routerQueue = "router";

/** Every etcd key, as functions of the namespace; no key text exists elsewhere. */
export function keys(namespace: string): Keys {
  const root = `/pixii/v1/${namespace}`;
  return {
    instances: `${root}/instances/`,
    instance: (service, id) => `${root}/instances/${service}/${id}`,
    models: `${root}/models/`,
    model: (model, id) => `${root}/models/${model}/${id}`,
    desires: `${root}/desired/`,
    desired: (id) => `${root}/desired/${id}`,
    leader: `${root}/planner/leader`,
    orders: `${root}/planner/orders/`,
    order: (id) => `${root}/planner/orders/${id}`,
    scales: `${root}/planner/scale/`,
    scale: (model) => `${root}/planner/scale/${model}`,
    kvbms: `${root}/kvbm/`,
    kvbm: (id) => `${root}/kvbm/${id}`,
  };
}

/** Keys of one namespace. */
export interface Keys {
  /** Prefix of all instances. */
  readonly instances: string;
  /** One running program: an `Instance` record. */
  instance(service: ServiceName, id: InstanceId): string;
  /** Prefix of all model cards. */
  readonly models: string;
  /** One worker's card of one model: a `ModelCard` record. */
  model(model: ModelHash, id: InstanceId): string;
  /** Prefix of all wishes. */
  readonly desires: string;
  /** The planner's wish for one instance: a `DesiredRecord`. */
  desired(id: InstanceId): string;
  /** Which planner acts: a `LeaderRecord` under its lease. */
  readonly leader: string;
  /** Prefix of all orders. */
  readonly orders: string;
  /** An operator's order to the planners: a `PlanOrder`. */
  order(id: string): string;
  /** Prefix of what says how many workers there are to be. */
  readonly scales: string;
  /** How many workers of a model there are to be: a `ScaleRecord`. */
  scale(model: ModelHash): string;
  /** Prefix of all block managers. */
  readonly kvbms: string;
  /** One block manager: a `KvbmCard` record. */
  kvbm(id: InstanceId): string;
}
