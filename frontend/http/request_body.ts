import { fail, joinBytes, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import { readJsonObject } from "../core/json_object.ts";

/** Bodies from here on are given back by hand. */
const longBodyBytes = 1024;

/** Reads bodies up to a bound and within a time. */
export class BodyReader {
  readonly #mostBytes: number;
  readonly #timeoutMs: number;
  readonly #clock: Clock;

  constructor(options: {
    readonly clock: Clock;
    readonly mostBytes: number;
    readonly timeoutMs: number;
  }) {
    this.#mostBytes = options.mostBytes;
    this.#timeoutMs = options.timeoutMs;
    this.#clock = options.clock;
  }

  /** The JSON object of a request, or what is wrong with it. */
  async readJson(request: Request): Promise<Result<Record<string, unknown>>> {
    const type = request.headers.get("content-type") ?? "";
    if (!/^application\/(json|[\w.-]+\+json)\s*(;|$)/i.test(type)) return wrongType(type);
    const bytes = await this.#readBytes(request);
    if (!bytes.ok) return bytes;
    const read = readJsonObject(bytes.value);
    letGo(bytes.value);
    return read;
  }

  async #readBytes(request: Request): Promise<Result<Uint8Array>> {
    const length = request.headers.get("content-length");
    if (length !== null && Number(length) > this.#mostBytes) return this.#tooLarge();
    // The server sees to it that no more comes than was announced. `request.body` is not looked at: it makes a stream,
    // and then each read takes a buffer of 64 KiB.
    if (length !== null) return await this.#within(wholeBody(request), () => {});
    if (request.body === null) return ok(new Uint8Array());
    const reader = request.body.getReader();
    return await this.#within(this.#counted(reader), () => drop(reader));
  }

  /** A body of unknown length. */
  async #counted(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Result<Uint8Array>> {
    const parts: Uint8Array[] = [];
    let size = 0;
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        size += next.value.length;
        if (size > this.#mostBytes) {
          drop(reader);
          return this.#tooLarge();
        }
        parts.push(next.value);
      }
    } catch (error) {
      return unreadable(error);
    }
    return ok(joinBytes(parts));
  }

  /** What `read` brings, or `request_timeout`; then `giveUp` is called. */
  async #within(
    read: Promise<Result<Uint8Array>>,
    giveUp: () => void,
  ): Promise<Result<Uint8Array>> {
    const late = Promise.withResolvers<Result<Uint8Array>>();
    using _due = this.#clock.timer(this.#timeoutMs, () => {
      late.resolve(this.#tooSlow());
      giveUp();
    });
    return await Promise.race([read, late.promise]);
  }

  #tooSlow() {
    const rule = `The body did not arrive within ${this.#timeoutMs} ms; send it faster`;
    return fail("request_timeout", rule);
  }

  #tooLarge() {
    const rule = `The body is over ${this.#mostBytes} bytes; shorten it or raise --max-body`;
    return fail("payload_too_large", rule);
  }
}

/** Gives a long body's memory back now: it is outside of the heap, where hundreds of them would wait for a collection. */
function letGo(bytes: Uint8Array): void {
  if (bytes.length >= longBodyBytes && bytes.buffer instanceof ArrayBuffer) {
    bytes.buffer.transfer(0);
  }
}

/** Settles with a result always: a body given up on breaks later, when nobody waits for it any more. */
async function wholeBody(request: Request): Promise<Result<Uint8Array>> {
  try {
    return ok(await request.bytes());
  } catch (error) {
    return unreadable(error);
  }
}

function drop(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(() => {
    // The connection broke first: there is nothing left to drop.
  });
}

function unreadable(error: unknown) {
  return fail("cancelled", `The body could not be read: ${(error as Error).message}`);
}

function wrongType(type: string) {
  const seen = type === "" ? "none" : `'${type.slice(0, 80)}'`;
  return fail("unsupported_media_type", `The content type must be application/json, got ${seen}`);
}
