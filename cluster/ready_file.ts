import type { ServiceName } from "@pixii/wire";

/** One running program in the ready file. */
export interface ReadyProcess {
  readonly service: ServiceName;
  readonly instance: string;
  readonly pid: number;
  readonly model?: string;
  readonly role?: string;
  readonly admin: string;
}

/** What scripts read. `pid` is the launcher's: signal that one. */
export interface ReadyFacts {
  readonly url: string;
  readonly topology: "one" | "processes";
  readonly pid: number;
  readonly namespace: string;
  readonly nats: string;
  readonly etcd: string;
  readonly models: readonly string[];
  readonly processes: readonly ReadyProcess[];
}

/** The file of `--ready-file`: gone at start and at the end, replaced as a whole, written only when it changes. */
export class ReadyFile {
  readonly #path: string;
  #written = "";
  #last: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Removes what an earlier run left. */
  async clear(): Promise<void> {
    this.#written = "";
    await this.#last;
    await this.#remove();
  }

  /** Writes the facts atomically. */
  write(facts: ReadyFacts): Promise<void> {
    const text = JSON.stringify(facts, null, 2) + "\n";
    if (text === this.#written) return this.#last;
    this.#written = text;
    this.#last = this.#last.then(async () => {
      const part = `${this.#path}.${Deno.pid}.part`;
      await Deno.writeTextFile(part, text);
      await Deno.rename(part, this.#path);
    });
    return this.#last;
  }

  async #remove(): Promise<void> {
    try {
      await Deno.remove(this.#path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
