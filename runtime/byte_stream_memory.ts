import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { ByteListener, ByteNetwork, ByteStream } from "./byte_stream.ts";

/** Byte streams inside one process, for tests and simulations: a write waits until all of it was read. */
export class MemoryByteNetwork implements ByteNetwork {
  readonly #doors = new Map<string, MemoryListener>();
  #port = 40_001;

  listen(
    address: string,
    serve: (stream: ByteStream) => Promise<void>,
  ): Promise<Result<ByteListener>> {
    const at = address.endsWith(":0") ? `${address.slice(0, -1)}${this.#port++}` : address;
    if (this.#doors.has(at)) {
      const text = `Cannot listen on ${at}: another program does; name another HOST:PORT`;
      return Promise.resolve(fail("internal", text));
    }
    const door = new MemoryListener(at, { serve, left: () => this.#doors.delete(at) });
    this.#doors.set(at, door);
    return Promise.resolve(ok(door));
  }

  connect(address: string): Promise<Result<ByteStream>> {
    const door = this.#doors.get(address);
    if (door === undefined) {
      return Promise.resolve(fail("no_responders", `Cannot reach ${address}: nobody listens`));
    }
    const [there, back] = [new Pipe(), new Pipe()];
    door.take(new MemoryStream("memory", there, back));
    return Promise.resolve(ok(new MemoryStream(address, back, there)));
  }
}

class MemoryListener implements ByteListener {
  readonly address: string;
  readonly #parts: { serve: (stream: ByteStream) => Promise<void>; left: () => void };
  readonly #streams = new Map<MemoryStream, Promise<void>>();

  constructor(
    address: string,
    parts: { serve: (stream: ByteStream) => Promise<void>; left: () => void },
  ) {
    this.address = address;
    this.#parts = parts;
  }

  take(stream: MemoryStream): void {
    const serving = this.#parts.serve(stream).finally(() => {
      stream.close();
      this.#streams.delete(stream);
    });
    this.#streams.set(stream, serving);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.left();
    for (const stream of this.#streams.keys()) stream.close();
    await Promise.all(this.#streams.values());
  }
}

class MemoryStream implements ByteStream {
  readonly peer: string;
  readonly #from: Pipe;
  readonly #to: Pipe;

  constructor(peer: string, from: Pipe, to: Pipe) {
    this.peer = peer;
    this.#from = from;
    this.#to = to;
  }

  read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    return this.#from.read(into);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    return this.#to.write(bytes);
  }

  close(): void {
    this.#from.end();
    this.#to.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** One direction: a writer and a reader that meet. */
class Pipe {
  #bytes = new Uint8Array();
  #written: ((isRead: boolean) => void) | undefined;
  #waiting: (() => void) | undefined;
  #isOver = false;

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#bytes.byteLength === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => this.#waiting = resolve);
    }
    if (this.#bytes.byteLength === 0) return null;
    const part = this.#bytes.subarray(0, into.byteLength);
    into.set(part);
    this.#bytes = this.#bytes.subarray(part.byteLength);
    if (this.#bytes.byteLength === 0) this.#settle(true);
    return part.byteLength;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    if (this.#isOver) return Promise.resolve(false);
    if (bytes.byteLength === 0) return Promise.resolve(true);
    this.#bytes = bytes;
    const written = new Promise<boolean>((resolve) => this.#written = resolve);
    this.#wake();
    return written;
  }

  end(): void {
    this.#isOver = true;
    this.#bytes = new Uint8Array();
    this.#settle(false);
    this.#wake();
  }

  #settle(isRead: boolean): void {
    const written = this.#written;
    this.#written = undefined;
    written?.(isRead);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}
