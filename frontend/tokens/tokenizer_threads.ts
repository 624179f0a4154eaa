import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Clock, Log, Thread, Threads } from "@pixii/runtime";
import type { Vocabulary } from "../core/vocabulary.ts";
import { ByteLevelVocabulary } from "./byte_level_vocabulary.ts";
import type { LongPrompts } from "./byte_level_vocabulary.ts";
import type { FromTokenizerThread, ToTokenizerThread } from "./thread_messages.ts";
import type { VocabularyTables } from "./vocabulary_tables.ts";

/** Most vocabularies that the thread of long prompts knows at once. */
const mostVocabularies = 4;
/** Most text of prompts that wait for it, in code units; the largest prompt alone must fit. */
const mostWaitingUnits = 64 * 1024 * 1024;

/** The thread of long prompts gives memory back when none came for this long: a thread without work collects nothing. */
const restMs = 1_000;
/** It ends when none came for this long, and what it took goes with it. */
const idleMs = 30_000;

const entry = new URL("./tokenizer_thread.ts", import.meta.url);

type Answer = Result<VocabularyTables> | Result<Uint32Array>;
type WithoutCall<Message> = Message extends unknown ? Omit<Message, "call"> : never;
type Call = WithoutCall<Extract<ToTokenizerThread, { readonly call: number }>>;

/** A thread and the calls it has not answered yet. */
class TokenizerThread implements Disposable {
  readonly #thread: Thread;
  readonly #calls = new Map<number, (answer: Answer) => void>();
  #nextCall = 0;
  isBroken = false;

  constructor(threads: Threads, log: Log) {
    this.#thread = threads.start(entry, "tokenizer");
    this.#thread.onMessage((message) => this.#receive(message as FromTokenizerThread));
    this.#thread.onError(({ message }) => {
      log.error("tokenizer thread failed", { message });
      this.#break();
    });
  }

  post(message: ToTokenizerThread, transfer: readonly Transferable[] = []): void {
    this.#thread.post(message, transfer);
  }

  call<Value>(call: Call, transfer: readonly Transferable[] = []): Promise<Result<Value>> {
    const id = this.#nextCall++;
    return new Promise((resolve) => {
      this.#calls.set(id, resolve as (answer: Answer) => void);
      this.post({ ...call, call: id } as ToTokenizerThread, transfer);
    });
  }

  [Symbol.dispose](): void {
    this.#thread[Symbol.dispose]();
    this.#break();
  }

  #receive(message: FromTokenizerThread): void {
    const resolve = this.#calls.get(message.call);
    this.#calls.delete(message.call);
    resolve?.(message.op === "loaded" ? message.tables : message.ids);
  }

  #break(): void {
    this.isBroken = true;
    const failure = fail("internal", "The tokenizer thread failed; try again");
    for (const resolve of this.#calls.values()) resolve(failure);
    this.#calls.clear();
  }
}

/** Makes vocabularies on a thread of their own, and gives them another for their long prompts, started when needed. */
export class TokenizerThreads implements Disposable {
  readonly #threads: Threads;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #loading = new Set<TokenizerThread>();
  #long: TokenizerThread | undefined;
  /** Keys of the vocabularies that the thread of long prompts knows, the last used last. */
  readonly #known = new Set<number>();
  #nextKey = 0;
  #waiting = 0;
  #waitingUnits = 0;
  #idleTimer: Disposable | undefined;
  #isDisposed = false;

  constructor(
    options: { readonly threads: Threads; readonly clock: Clock; readonly log: Log },
  ) {
    this.#threads = options.threads;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** The vocabulary of an artifact's JSON, which is taken away; `artifact_invalid` where it is damaged or not known. */
  async load(json: Uint8Array): Promise<Result<Vocabulary>> {
    if (this.#isDisposed) return stopping();
    // A thread for each: what it took to read the JSON goes with it.
    const thread = new TokenizerThread(this.#threads, this.#log);
    this.#loading.add(thread);
    try {
      const call = { op: "load" as const, json };
      const tables = await thread.call<VocabularyTables>(call, [json.buffer as ArrayBuffer]);
      if (!tables.ok) return tables;
      return ok(new ByteLevelVocabulary(tables.value, this.#longPrompts(tables.value)));
    } finally {
      this.#loading.delete(thread);
      thread[Symbol.dispose]();
    }
  }

  /** Ends the threads; what waits for them fails. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const thread of this.#loading) thread[Symbol.dispose]();
    this.#endLong();
  }

  #longPrompts(tables: VocabularyTables): LongPrompts {
    const key = this.#nextKey++;
    return {
      encode: (text, options) => {
        const send = () => this.#sendTo(tables, { op: "encode", key, text, options });
        return this.#wait(text.length, send);
      },
      encodeChat: (messages, options) => {
        const units = messages.reduce((sum, { content }) => sum + content.length, 0);
        const send = () => this.#sendTo(tables, { op: "chat", key, messages, options });
        return this.#wait(units, send);
      },
    };
  }

  async #wait(
    units: number,
    send: () => Promise<Result<Uint32Array>>,
  ): Promise<Result<Uint32Array>> {
    if (this.#isDisposed) return stopping();
    if (this.#waitingUnits + units > mostWaitingUnits) {
      return fail("overloaded", "Too many long prompts wait to be tokenized; try again");
    }
    this.#waiting += 1;
    this.#waitingUnits += units;
    this.#idleTimer?.[Symbol.dispose]();
    try {
      return await send();
    } finally {
      this.#waiting -= 1;
      this.#waitingUnits -= units;
      if (this.#waiting === 0 && !this.#isDisposed) {
        this.#idleTimer = this.#clock.timer(restMs, () => this.#rest());
      }
    }
  }

  #rest(): void {
    this.#long?.post({ op: "rest" });
    this.#idleTimer = this.#clock.timer(idleMs - restMs, () => this.#endLong());
  }

  #endLong(): void {
    this.#idleTimer?.[Symbol.dispose]();
    this.#long?.[Symbol.dispose]();
    this.#long = undefined;
    this.#known.clear();
  }

  #sendTo(
    tables: VocabularyTables,
    call: Extract<Call, { readonly key: number }>,
  ): Promise<Result<Uint32Array>> {
    if (this.#long?.isBroken) this.#endLong();
    this.#long ??= new TokenizerThread(this.#threads, this.#log);
    const { key } = call;
    if (!this.#known.delete(key)) this.#long.post({ op: "use", key, tables });
    this.#known.add(key);
    for (const oldest of this.#known) {
      if (this.#known.size <= mostVocabularies) break;
      this.#known.delete(oldest);
      this.#long.post({ op: "forget", key: oldest });
    }
    return this.#long.call(call);
  }
}

function stopping() {
  return fail("draining", "This frontend is shutting down and takes no new work; try again");
}
