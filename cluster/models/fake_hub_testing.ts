import { createHash } from "node:crypto";

/** What a fake hub does wrong on purpose. */
export interface HubFaults {
  /** Ends the answer after so many bytes of a file, this many times. */
  cutAfterBytes?: number;
  cuts?: number;
  /** Sends so many bytes and then nothing more, for ever; further answers send none. */
  hangAfterBytes?: number;
  /** Never answers. */
  silent?: boolean;
  /** Announces this sha256 instead of the true one. */
  wrongOid?: string;
  /** Answers ranges with the whole file. */
  noRanges?: boolean;
  /** Status of every answer. */
  status?: number;
}

/** A file of a fake repository. */
export interface FakeFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The part of Hugging Face's HTTP API that downloads use, with faults; for tests. */
export class FakeHub implements AsyncDisposable {
  readonly requests: { path: string; range: string | null; authorization: string | null }[] = [];
  readonly faults: HubFaults;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #repo: string;
  readonly #files: readonly FakeFile[];
  readonly #stop = new AbortController();

  constructor(repo: string, files: readonly FakeFile[], faults: HubFaults = {}) {
    this.#repo = repo;
    this.#files = files;
    this.faults = faults;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: this.#stop.signal },
      (request) => this.#answer(request),
    );
  }

  /** What goes into `HF_ENDPOINT`. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#server.finished;
  }

  async #answer(request: Request): Promise<Response> {
    const path = decodeURIComponent(new URL(request.url).pathname);
    const range = request.headers.get("range");
    this.requests.push({ path, range, authorization: request.headers.get("authorization") });
    if (this.faults.silent) await new Promise((done) => this.#stop.signal.onabort = done);
    if (this.faults.status !== undefined) {
      return Response.json({ error: "refused" }, { status: this.faults.status });
    }
    if (path === `/api/models/${this.#repo}/tree/main`) return Response.json(this.#tree());
    const prefix = `/${this.#repo}/resolve/main/`;
    const file = this.#files.find((one) => path === prefix + one.path);
    if (file === undefined) {
      return Response.json({ error: "not found" }, {
        status: 404,
        headers: { "x-error-code": "EntryNotFound" },
      });
    }
    return this.#send(file, range);
  }

  #tree(): unknown[] {
    return this.#files.map((file) => ({
      type: "file",
      path: file.path,
      oid: "0".repeat(40),
      size: file.bytes.length,
      lfs: {
        oid: this.faults.wrongOid ?? sha256Of(file.bytes),
        size: file.bytes.length,
        pointerSize: 134,
      },
    }));
  }

  #send(file: FakeFile, range: string | null): Response {
    const etag = `"${sha256Of(file.bytes)}"`;
    const match = this.faults.noRanges ? null : /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
    const start = match === null ? 0 : Number(match[1]);
    const end = match?.[2] ? Number(match[2]) + 1 : file.bytes.length;
    const bytes = file.bytes.subarray(start, end);
    const headers = {
      etag,
      "content-range": `bytes ${start}-${end - 1}/${file.bytes.length}`,
      "accept-ranges": "bytes",
    };
    const status = match === null ? 200 : 206;
    const probe = bytes.length <= 1;
    const { cutAfterBytes, hangAfterBytes, cuts = 0 } = this.faults;
    if (!probe && cutAfterBytes !== undefined && cuts > 0) {
      this.faults.cuts = cuts - 1;
      return new Response(bytes.subarray(0, cutAfterBytes), { status, headers });
    }
    if (!probe && hangAfterBytes !== undefined) {
      this.faults.hangAfterBytes = 0;
      return new Response(hangingBody(bytes.subarray(0, hangAfterBytes)), {
        status,
        headers,
      });
    }
    return new Response(bytes, { status, headers });
  }
}

/** Lower-case hex sha256. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function hangingBody(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      if (bytes.length > 0) controller.enqueue(bytes);
    },
  });
}
