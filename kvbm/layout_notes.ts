import { hexOfU64, layoutHash } from "@pixii/wire";
import type { ModelHash, StoreHello } from "@pixii/wire";
import type { Log } from "@pixii/runtime";

/** Longest file of notes that is read. */
const mostBytes = 1024 * 1024;

/** What is known of a layout: for people, who cannot read hashes. */
export interface LayoutNote {
  /** Hash of the fingerprint, hex. */
  readonly layout: string;
  readonly fingerprint: string;
  /** Models whose blocks are of it. */
  readonly models: readonly ModelHash[];
}

/** Which fingerprints and models hide behind the layouts' hashes; kept beside the blocks on disk, so that it outlives them. */
export class LayoutNotes {
  readonly #notes = new Map<string, LayoutNote>();
  readonly #path: string | undefined;
  readonly #log: Log;

  /** `folder`: of the disk tier; without it nothing is kept. */
  constructor(folder: string | undefined, log: Log) {
    this.#path = folder && `${folder}/layouts.jsonl`;
    this.#log = log;
    if (this.#path !== undefined) this.#read(this.#path);
  }

  /** A worker says what its blocks are. */
  note({ layoutFingerprint: fingerprint, model }: StoreHello): void {
    const { hi, lo } = layoutHash(fingerprint);
    const added = this.#add({ layout: hexOfU64(hi, lo), fingerprint, models: [model] });
    if (added === undefined || this.#path === undefined) return;
    try {
      Deno.writeTextFileSync(this.#path, JSON.stringify(added) + "\n", { append: true });
    } catch (error) {
      this.#log.debug("cannot keep the notes on layouts", { error });
    }
  }

  /** What is known of a layout. */
  of(layout: string): LayoutNote | undefined {
    return this.#notes.get(layout);
  }

  /** Adds what is new; answers it. */
  #add(note: LayoutNote): LayoutNote | undefined {
    const models = this.#notes.get(note.layout)?.models ?? [];
    const more = note.models.filter((model) => !models.includes(model));
    if (more.length === 0) return undefined;
    this.#notes.set(note.layout, { ...note, models: [...models, ...more] });
    return { ...note, models: more };
  }

  #read(path: string): void {
    try {
      if (Deno.statSync(path).size > mostBytes) return;
      for (const line of Deno.readTextFileSync(path).split("\n")) {
        const note = line === "" ? undefined : noteIn(line);
        if (note !== undefined) this.#add(note);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        this.#log.debug("cannot read the notes on layouts", { error });
      }
    }
  }
}

function noteIn(line: string): LayoutNote | undefined {
  try {
    const { layout, fingerprint, models } = JSON.parse(line) as Partial<LayoutNote>;
    const isNote = typeof layout === "string" && typeof fingerprint === "string" &&
      Array.isArray(models);
    return isNote ? { layout, fingerprint, models } : undefined;
  } catch {
    // A line that was not written to its end.
    return undefined;
  }
}
