import { type Chance, type Clock, type Log, StartError } from "@pixii/runtime";
import { fileURLToPath } from "node:url";
import { cacheFolder, type Env } from "./models/cache_folder.ts";
import { permissionFlags } from "./permissions.ts";
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
  instance: string;
  lastLine: string;
}

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

  /** Instance ids of the programs as they run now. */
  instances(): readonly string[] {
    return this.#members.map((member) => member.instance);
  }

  /** Starts a program and keeps it running. */
  start(program: Program): void {
    const member: Member = {
      program,
      instance: "",
      lastLine: "",
      supervisor: new Supervisor({
        name: program.label,
        clock: this.#options.clock,
        log: this.#options.log,
        spawn: () => this.#spawn(member),
        onEnd: (end, wanted) => this.#ended(member, end, wanted),
      }),
    };
    this.#members.push(member);
    member.supervisor.start();
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
