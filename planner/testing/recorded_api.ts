/** One call of an API and its answer, as they were. Credentials are left out. */
export interface RecordedCall {
  readonly method: string;
  readonly path: string;
  readonly contentType: string | null;
  /** Of the request; null for none. */
  readonly body: unknown;
  readonly status: number;
  readonly answer: unknown;
}

/** A server that gives recorded answers to the recorded calls, in their order, and to no others. */
export class RecordedApi implements AsyncDisposable {
  readonly #calls: readonly RecordedCall[];
  readonly #token: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #wrong: string[] = [];
  #next = 0;

  /** `token`: what a call must bring, unless its recorded answer is that it was refused. */
  constructor(calls: readonly RecordedCall[], token: string) {
    this.#calls = calls;
    this.#token = token;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  /** `http://127.0.0.1:PORT`. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Calls that were not as recorded, in words; and those that never came. */
  get wrong(): readonly string[] {
    const left = this.#calls.slice(this.#next).map(({ method, path }) =>
      `missing: ${method} ${path}`
    );
    return [...this.#wrong, ...left];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const text = await request.text();
    const { pathname } = new URL(request.url);
    const call = this.#calls[this.#next++];
    const said = {
      ...{ method: request.method, path: pathname, body: text === "" ? null : JSON.parse(text) },
      contentType: request.headers.get("content-type"),
    };
    const { method, path, body, contentType } = call ?? {};
    if (JSON.stringify(said) !== JSON.stringify({ method, path, body, contentType })) {
      this.#wrong.push(
        `${JSON.stringify(said)} instead of ${method} ${path} ${JSON.stringify(body)}`,
      );
      return new Response("not recorded", { status: 500 });
    }
    const isKnown = request.headers.get("authorization") === `Bearer ${this.#token}`;
    if (isKnown === (call.status === 401)) {
      this.#wrong.push(`${request.method} ${pathname} with ${isKnown ? "the" : "another"} token`);
    }
    return Response.json(call.answer, { status: call.status });
  }
}
