import type { Clock, Log } from "@pixii/runtime";
import { processStart, signalProcess } from "./process_identity.ts";

/** Begins the name of every launcher's folder. */
const prefix = "pixii-run-";
/** What a folder says about its launcher and its children. */
const ownerFile = "owner.json";
/** The children as lines `program PID` and `server PID`. */
const pidsFile = "pids";
/** How long leftover children may take to end by themselves before they are killed. */
const sweepGraceMs = 3_000;

/** One process, named so that a reused id is not mistaken for it. */
export interface ProcessMark {
  readonly pid: number;
  readonly start: string;
}

/** A program of ours, which ends when its launcher does, or a server, which does not. */
export type ChildKind = "program" | "server";

interface Owner {
  readonly launcher: ProcessMark;
  readonly children: readonly ProcessMark[];
}

/** The temporary folder of one launcher: sockets, data of the servers it started, and who its children are. */
export class RunFolder implements AsyncDisposable {
  /** Absolute, short enough for a Unix socket's path. */
  readonly path: string;
  readonly #launcher: ProcessMark;
  readonly #children = new Map<number, ProcessMark & { readonly kind: ChildKind }>();
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, launcher: ProcessMark) {
    this.path = path;
    this.#launcher = launcher;
  }

  /** Makes the folder of this process. */
  static async open(parent: string): Promise<RunFolder> {
    const path = await Deno.makeTempDir({ dir: parent, prefix: `${prefix}${Deno.pid}-` });
    const start = await processStart(Deno.pid);
    const folder = new RunFolder(path, { pid: Deno.pid, start: start ?? "" });
    await folder.#write();
    return folder;
  }

  /** Remembers a child, so that the next start can end it if this launcher is killed. */
  async noteChild(pid: number, kind: ChildKind): Promise<void> {
    const start = await processStart(pid);
    if (start === undefined) return;
    this.#children.set(pid, { pid, start, kind });
    await this.#write();
  }

  /** Forgets a child that ended. */
  async forgetChild(pid: number): Promise<void> {
    if (this.#children.delete(pid)) await this.#write();
  }

  /** Removes the folder and everything in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await removeTree(this.path);
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const children = [...this.#children.values()];
      const owner: Owner = { launcher: this.#launcher, children };
      const pids = children.map(({ kind, pid }) => `${kind} ${pid}\n`).join("");
      // The shell that watches over this launcher reads the plain list, the next launcher the exact one.
      for (const [name, text] of [[pidsFile, pids], [ownerFile, JSON.stringify(owner)]]) {
        const part = `${this.path}/${name}.part`;
        await Deno.writeTextFile(part, text);
        await Deno.rename(part, `${this.path}/${name}`);
      }
    });
    return this.#writing;
  }
}

/**
 * Ends what launchers that are gone (kill -9) left behind, and removes their folders. Answers how many folders that were.
 * Folders of running launchers and of other users are left alone.
 */
export async function sweepRunFolders(parent: string, clock: Clock, log: Log): Promise<number> {
  let swept = 0;
  for await (const entry of Deno.readDir(parent)) {
    if (!entry.isDirectory || !entry.name.startsWith(prefix)) continue;
    const path = `${parent}/${entry.name}`;
    const owner = await readOwner(path, entry.name);
    if (owner === undefined || await isAlive(owner.launcher)) continue;
    await endChildren(owner.children, clock, log);
    await removeTree(path);
    swept++;
  }
  return swept;
}

async function endChildren(children: readonly ProcessMark[], clock: Clock, log: Log) {
  const left: ProcessMark[] = [];
  for (const child of children) if (await isAlive(child)) left.push(child);
  for (const child of left) signalProcess(child.pid, "SIGTERM");
  const untilMs = clock.nowMs() + sweepGraceMs;
  for (const child of left) {
    log.warn("ending a process of a launcher that was killed", { pid: child.pid });
    while (await isAlive(child)) {
      if (clock.nowMs() >= untilMs) signalProcess(child.pid, "SIGKILL");
      await clock.sleep(20);
    }
  }
}

async function isAlive(mark: ProcessMark): Promise<boolean> {
  return await processStart(mark.pid) === mark.start;
}

async function readOwner(path: string, name: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await Deno.readTextFile(`${path}/${ownerFile}`)) as Partial<Owner>;
    if (isMark(owner.launcher) && Array.isArray(owner.children) && owner.children.every(isMark)) {
      return owner as Owner;
    }
    return undefined;
  } catch (error) {
    // Killed between making the folder and writing the file: the pid in the name has to do.
    if (error instanceof Deno.errors.NotFound) {
      const pid = Number(/^pixii-run-(\d+)-/.exec(name)?.[1]);
      if (!Number.isInteger(pid) || await processStart(pid) !== undefined) return undefined;
      return { launcher: { pid, start: "gone" }, children: [] };
    }
    if (error instanceof SyntaxError || error instanceof Deno.errors.PermissionDenied) {
      return undefined;
    }
    throw error;
  }
}

function isMark(value: unknown): value is ProcessMark {
  const mark = value as Partial<ProcessMark> | undefined;
  return typeof mark?.pid === "number" && mark.pid > 1 && typeof mark.start === "string";
}

async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
