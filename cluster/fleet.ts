import { type Chance, type Clock, type Log, StartError } from "@pixii/runtime";
import type { Role } from "@pixii/wire";
import { fileURLToPath } from "node:url";
import { cacheFolder, type Env } from "./models/cache_folder.ts";
import { allocatorVariables, permissionFlags } from "./permissions.ts";
import type { RunFolder } from "./run_folder.ts";

import { type Program, type Wiring, wiringArgs } from "./service_args.ts";
import { spawnChild } from "./child_process.ts";
import { type ChildEnd, endText, Supervisor } from "./supervisor.ts";

/** What a fleet is told. */
export interface FleetOptions {
  readonly wiring: Wiring;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly runFolder: RunFolder;
  readonly env: Env;
  /** HOST:PORT of the HTTP API. */
  readonly listen: string;
  /** Takes the children's log lines. */
  readonly line: (text: string) => void;
}

/** Folder of the program of a service. */
const members = {
  frontend: "frontend",
  router: "router",
  planner: "planner",
  worker: "workers",
  kvbm: "kvbm",
} as const;

interface Member {
  readonly program: Program;
  readonly supervisor: Supervisor;
  /** It came later and may go again: nobody waits for it. */
  readonly isExtra: boolean;
  instance: string;
  lastLine: string;
  /** It was told to end for good. */
  isLeaving: boolean;
}

/** A worker of a fleet. */
export interface FleetWorker {
  /** The same for as long as it is kept running. */
  readonly label: string;
  /** Served name. */
  readonly model: string;
  /** The role that it was started with. */
  readonly role: Role;
  /** Of the run that goes on now. */
  readonly instance: string;
  readonly isLeaving: boolean;
}

/** Short runs in a row after which a worker that came later is given up. */
const mostShortRuns = 5;

/** The child processes of a cluster, each under its supervisor. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members: Member[] = [];
  readonly #failure = Promise.withResolvers<StartError>();
  #isReady = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Resolves when a child ends before `markReady`: such a start does not get better by trying again. */
  get failed(): Promise<StartError> {
    return this.#failure.promise;
  }

  /** Instance ids of the programs as they run now, without those that are leaving. */
  instances(): readonly string[] {
    return this.#members.filter((one) => !one.isLeaving).map((one) => one.instance);
  }

  /** Instance ids of the programs that a cluster is not whole without. */
  needed(): readonly string[] {
    return this.#members.filter((one) => !one.isExtra && !one.isLeaving).map((one) => one.instance);
  }

  /** The workers, the oldest first, those that are ending too. */
  workers(): readonly FleetWorker[] {
    return this.#members.flatMap(({ program, instance, isLeaving }): FleetWorker[] => {
      const { label, model, role } = program;
      if (model === undefined || role === undefined) return [];
      return [{ label, model, role, instance, isLeaving }];
    });
  }

  /** Starts a program and keeps it running. */
  start(program: Program): void {
    this.#start(program);
  }

  /** Starts one more program, which is kept running until it is told to leave, or dies too often to be kept: then `onGiveUp`. */
  startMore(program: Program, onGiveUp: () => void): void {
    this.#start(program, onGiveUp);
  }

  /** Lets one program drain and end for good; SIGKILL after `graceMs`. One that is not there, or leaves already, is no error. */
  async leave(label: string, graceMs: number): Promise<void> {
    const member = this.#members.find((one) => one.program.label === label);
    if (member === undefined || member.isLeaving) return;
    member.isLeaving = true;
    await member.supervisor.stop(graceMs);
    this.#forget(member);
  }

  /** From now on a child that ends is started again. */
  markReady(): void {
    this.#isReady = true;
  }

  /** Ends the children of one service, all at a time; SIGKILL after `graceMs` or when `hurry` aborts. */
  async stop(service: Program["service"], graceMs: number, hurry: AbortSignal): Promise<void> {
    this.#isReady = true;
    const members = this.#members.filter((member) => member.program.service === service);
    await Promise.all(members.map((member) => member.supervisor.stop(graceMs, hurry)));
  }

  /** Ends all children that still run. */
  async stopAll(graceMs: number, hurry: AbortSignal): Promise<void> {
    const services = new Set(this.#members.map((member) => member.program.service));
    await Promise.all([...services].map((service) => this.stop(service, graceMs, hurry)));
  }

  #start(program: Program, onGiveUp?: () => void): void {
    const member: Member = {
      ...{ program, instance: "", lastLine: "", isLeaving: false },
      isExtra: onGiveUp !== undefined,
      supervisor: new Supervisor({
        name: program.label,
        clock: this.#options.clock,
        log: this.#options.log,
        ...(onGiveUp === undefined ? {} : { mostShortRuns }),
        onGiveUp: () => {
          this.#forget(member);
          onGiveUp?.();
        },
        spawn: () => this.#spawn(member),
        onEnd: (end, wanted) => this.#ended(member, end, wanted),
      }),
    };
    member.supervisor.start();
    this.#members.push(member);
  }

  #forget(member: Member): void {
    const at = this.#members.indexOf(member);
    if (at >= 0) this.#members.splice(at, 1);
  }

  #spawn(member: Member) {
    const { wiring, chance, runFolder, line, listen, env } = this.#options;
    const { service, label, args, read, write = [], hosts = [] } = member.program;
    // An instance is one run of a program: a restart is a new one.
    member.instance = chance.instanceId();
    const flags = permissionFlags(service, {
      nats: wiring.nats,
      etcd: wiring.etcd,
      listen: service === "frontend" ? [listen, ...hosts] : hosts,
      read,
      write: service === "worker" || service === "kvbm" ? [cacheFolder(env), ...write] : write,
    });
    const main = fileURLToPath(new URL(`../${members[service]}/main.ts`, import.meta.url));
    const child = spawnChild({
      label,
      command: Deno.execPath(),
      args: [
        ...["run", "--quiet", ...flags, main, ...wiringArgs(wiring, member.instance)],
        ...(service === "worker" ? ["--cache", cacheFolder(env)] : []),
        ...args,
      ],
      // Whoever has told the allocator something else means it.
      env: Object.keys(env).some((name) => name.startsWith("MALLOC_"))
        ? {}
        : allocatorVariables(service),
      line: (text) => {
        member.lastLine = text;
        line(text);
      },
    });
    void runFolder.noteChild(child.pid, "program");
    void child.ended.then(() => runFolder.forgetChild(child.pid));
    return child;
  }

  #ended(member: Member, end: ChildEnd, wanted: boolean): void {
    if (wanted || this.#isReady) return;
    const code = end.code === 2 || end.code === 3 ? end.code : 1;
    const said = member.lastLine === "" ? "" : `; its last line: ${member.lastLine}`;
    this.#failure.resolve(
      new StartError(
        `Cannot start ${member.program.label}: it ended (${endText(end)})${said}`,
        code,
      ),
    );
  }
}
