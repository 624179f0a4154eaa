import type { Chance, Clock, Log } from "@pixii/runtime";
import { fileURLToPath } from "node:url";
import { permissionFlags } from "./permissions.ts";
import type { RunFolder } from "./run_folder.ts";
import { type Program, type Wiring, wiringArgs } from "./service_args.ts";
import { spawnChild } from "./child_process.ts";
import { type ChildEnd, endText, Supervisor } from "./supervisor.ts";

/** A child that ended before the cluster was ready, or that cannot go on. */
export class ChildFailure extends Error {
  override readonly name = "ChildFailure";
  /** What the child ended with: 2 bad usage, 3 something missing, else 1. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What a fleet is told. */
export interface FleetOptions {
  readonly wiring: Wiring;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly runFolder: RunFolder;
  /** Folders the workers may write: the cache of model digests. */
  readonly cacheFolder: string;
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
  readonly #failure = Promise.withResolvers<ChildFailure>();
  #isReady = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Resolves when a child ends before `markReady`: such a start does not get better by trying again. */
  get failed(): Promise<ChildFailure> {
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

  #spawn(member: Member) {
    const { wiring, chance, runFolder, line, listen, cacheFolder } = this.#options;
    const { service, label, args, read } = member.program;
    // An instance is one run of a program: a restart is a new one.
    member.instance = chance.instanceId();
    const flags = permissionFlags(service, {
      nats: wiring.nats,
      etcd: wiring.etcd,
      listen: service === "frontend" ? [listen] : [],
      read,
      write: service === "worker" || service === "kvbm" ? [cacheFolder] : [],
    });
    const main = fileURLToPath(new URL(`../${members[service]}/main.ts`, import.meta.url));
    const child = spawnChild({
      label,
      command: Deno.execPath(),
      args: ["run", "--quiet", ...flags, main, ...wiringArgs(wiring, member.instance), ...args],
      line: (text) => {
        member.lastLine = text;
        line(text);
      },
    });
    void runFolder.noteChild(child.pid);
    void child.ended.then(() => runFolder.forgetChild(child.pid));
    return child;
  }

  #ended(member: Member, end: ChildEnd, wanted: boolean): void {
    if (wanted || this.#isReady) return;
    const code = end.code === 2 || end.code === 3 ? end.code : 1;
    const said = member.lastLine === "" ? "" : `; its last line: ${member.lastLine}`;
    this.#failure.resolve(
      new ChildFailure(
        `Cannot start ${member.program.label}: it ended (${endText(end)})${said}`,
        code,
      ),
    );
  }
}
