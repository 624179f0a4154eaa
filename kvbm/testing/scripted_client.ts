import assert from "node:assert/strict";
import {
  decode,
  decodeStoreRows,
  encode,
  encodeStoreRows,
  messageNameOf,
  modelHashOf,
  storeFrames,
} from "@pixii/wire";
import type { InstanceId, StoreHello, StoreOp, StoreRows, StoreWelcome } from "@pixii/wire";
import { connectLocal, recordingLog, startOfProcess } from "@pixii/runtime";
import type { Frame, FrameSocket } from "@pixii/runtime";

/** What a scripted worker says of itself unless told otherwise. */
export function helloOf(more: Partial<StoreHello> = {}): StoreHello {
  return {
    instance: "00000000000000aa" as InstanceId,
    pid: Deno.pid,
    processStart: startOfProcess(Deno.pid)!,
    model: modelHashOf("m"),
    layoutFingerprint: "layout-1",
    blockSize: 64,
    blockBytes: 10_000,
    ...more,
  };
}

/** A worker's side of the conversation, one question at a time. */
export class ScriptedClient implements Disposable {
  readonly #socket: FrameSocket;
  readonly #frames: AsyncGenerator<Frame>;
  #id = 0;
  /** Slots the kvbm said are gone. */
  readonly gone: number[] = [];
  /** What else the kvbm said unasked, in order. */
  readonly told: { readonly op: StoreOp; readonly words: readonly number[] }[] = [];

  private constructor(socket: FrameSocket) {
    this.#socket = socket;
    this.#frames = socket.frames();
  }

  static async connect(path: string): Promise<ScriptedClient> {
    const socket = await connectLocal(path, recordingLog("client", []));
    assert.ok(socket.ok, JSON.stringify(socket));
    return new ScriptedClient(socket.value);
  }

  /** Greets; the welcome, or the refusal's message. */
  async hello(hello: StoreHello = helloOf()): Promise<StoreWelcome | string> {
    const bytes = await this.#ask(encode("storeHello", hello));
    if (messageNameOf(bytes) === "refusal") {
      const refusal = decode("refusal", bytes);
      return refusal.ok ? refusal.value.error.message : "";
    }
    const welcome = decode("storeWelcome", bytes);
    assert.ok(welcome.ok);
    return welcome.value;
  }

  async ask(op: StoreOp, words: readonly number[], arg = 0): Promise<number[]> {
    const answer = decodeStoreRows(
      await this.#ask(rows({ op, arg, words: Uint32Array.from(words) })),
    );
    assert.ok(answer.ok);
    return [...answer.value.words];
  }

  /** Reads until the kvbm has said so much unasked. */
  async untilTold(count: number): Promise<void> {
    while (this.told.length < count) {
      const { value, done } = await this.#frames.next();
      assert.ok(!done && value.kind === storeFrames.tell, "the connection ended");
      this.#hear(value);
    }
  }

  tell(op: StoreOp, words: readonly number[], arg = 0): void {
    const payload = rows({ op, arg, words: Uint32Array.from(words) });
    this.#socket.send(storeFrames.tell, 0, "", payload);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  async #ask(payload: Uint8Array): Promise<Uint8Array> {
    const id = ++this.#id;
    this.#socket.send(storeFrames.ask, id, "", payload);
    while (true) {
      const { value, done } = await this.#frames.next();
      assert.ok(!done, "the connection ended");
      if (value.kind === storeFrames.answer && value.id === id) return value.payload;
      this.#hear(value);
    }
  }

  #hear({ payload }: Frame): void {
    const told = decodeStoreRows(payload);
    assert.ok(told.ok);
    const { op, words } = told.value;
    if (op === "gone") this.gone.push(...words);
    else this.told.push({ op, words: [...words] });
  }
}

function rows(message: StoreRows): Uint8Array {
  return encodeStoreRows(message);
}
