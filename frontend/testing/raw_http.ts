/** One HTTP answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A client that writes what it likes: half requests, broken ones, and none of the politeness of `fetch`. */
export class RawHttp implements Disposable {
  readonly #socket: Deno.TcpConn;
  readonly #decoder = new TextDecoder();
  #seen = "";
  #isOpen = true;

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Connects to `http://HOST:PORT`. */
  static async open(url: string): Promise<RawHttp> {
    const { hostname, port } = new URL(url);
    return new RawHttp(await Deno.connect({ hostname, port: Number(port) }));
  }

  /** What was read so far and not taken. */
  get seen(): string {
    return this.#seen;
  }

  /** Writes all of it. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  /** Reads until `holds` of all that was seen; false where the connection ended first. */
  async until(holds: (seen: string) => boolean): Promise<boolean> {
    const buffer = new Uint8Array(65_536);
    while (!holds(this.#seen)) {
      const n = await this.#socket.read(buffer).catch(() => null);
      if (n === null) return false;
      this.#seen += this.#decoder.decode(buffer.subarray(0, n), { stream: true });
    }
    return true;
  }

  /** The next answer with a `content-length`. */
  async answer(): Promise<RawAnswer> {
    if (!await this.until((seen) => seen.includes("\r\n\r\n"))) {
      throw new Error(`the connection ended in '${this.#seen.slice(0, 200)}'`);
    }
    const split = this.#seen.indexOf("\r\n\r\n");
    const [first, ...lines] = this.#seen.slice(0, split).split("\r\n");
    const headers = new Headers(
      lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
    );
    this.#seen = this.#seen.slice(split + 4);
    const length = Number(headers.get("content-length") ?? 0);
    if (!await this.until((seen) => seen.length >= length)) throw new Error("the body is cut");
    const body = this.#seen.slice(0, length);
    this.#seen = this.#seen.slice(length);
    return { status: Number(first.split(" ")[1]), headers, body };
  }

  /** Hangs up. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#isOpen) this.#socket.close();
    this.#isOpen = false;
  }
}

/** A POST as bytes; `more` are further header lines. */
export function rawPost(path: string, body: string, more: readonly string[] = []): string {
  const length = new TextEncoder().encode(body).length;
  const head = [
    `POST ${path} HTTP/1.1`,
    "host: test",
    "content-type: application/json",
    `content-length: ${length}`,
  ];
  return [...head, ...more, "", body].join("\r\n");
}
