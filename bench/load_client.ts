/**
 * A load client in a process of its own, for `bench:serve`: raw keep-alive sockets, requests made before the clock starts,
 * answers looked at as bytes. Its argument is a `LoadCase` as JSON, its one line of output a `LoadResult`.
 */
import { quantile } from "./figure.ts";
import type { LoadCase, LoadResult } from "./load_case.ts";
import { WordStream } from "./load_words.ts";

const load: LoadCase = JSON.parse(Deno.args[0]);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const shared = new WordStream(load.seed).take(load.sharedWords);
/** End of a chunked body, and the longest tail of an answer that is looked at for its usage. */
const chunkedEnd = "0\r\n\r\n";
const tailBytes = 1024;

interface Timing {
  readonly firstMs: number;
  readonly totalMs: number;
}

function requestBytes(index: number): Uint8Array {
  const own = new WordStream(load.seed * 1_000_003 + index + 1).take(load.ownWords);
  const body = encoder.encode(JSON.stringify({
    model: load.model,
    messages: [{ role: "user", content: shared === "" ? own : `${shared} ${own}` }],
    max_tokens: load.outputTokens,
    ignore_eos: true,
    stream: load.stream,
    ...(load.stream ? { stream_options: { include_usage: true } } : {}),
  }));
  const head = encoder.encode(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${load.host}:${load.port}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** One keep-alive connection: sends a request and reads its answer to the end. */
class Lane implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(256 * 1024);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(): Promise<Lane> {
    const connection = await Deno.connect({ hostname: load.host, port: load.port });
    connection.setNoDelay(true);
    return new Lane(connection);
  }

  async send(request: Uint8Array): Promise<Timing> {
    const startedMs = performance.now();
    for (let at = 0; at < request.length;) {
      at += await this.#connection.write(request.subarray(at));
    }
    let firstMs = 0;
    let head: { readonly end: number; readonly length: number | undefined } | undefined;
    let seen = 0;
    let tail = "";
    while (true) {
      const read = await this.#connection.read(this.#buffer);
      if (read === null) throw new Error(`the server closed the connection after ${seen} bytes`);
      seen += read;
      const bytes = this.#buffer.subarray(0, read);
      const text = decoder.decode(
        read > tailBytes && firstMs > 0 ? bytes.subarray(-tailBytes) : bytes,
      );
      tail = (tail + text).slice(-tailBytes);
      if (head === undefined) head = headOf(text);
      if (firstMs === 0 && /"content":"[^"]/.test(text)) firstMs = performance.now();
      const done = head.length === undefined
        ? tail.endsWith(chunkedEnd)
        : seen >= head.end + head.length;
      if (!done) continue;
      const endMs = performance.now();
      check(tail);
      return { firstMs: (firstMs || endMs) - startedMs, totalMs: endMs - startedMs };
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** Where the head ends and how long the body is; `undefined` = chunked. Answers here fit their head in the first read. */
function headOf(text: string): { readonly end: number; readonly length: number | undefined } {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) throw new Error(`no whole head in the first read: ${text.slice(0, 200)}`);
  const head = text.slice(0, end).toLowerCase();
  if (!head.startsWith("http/1.1 200")) throw new Error(text.slice(0, 600));
  const length = /content-length: (\d+)/.exec(head)?.[1];
  return { end: end + 4, length: length === undefined ? undefined : Number(length) };
}

function check(tail: string): void {
  if (!load.checkTokens) return;
  const tokens = /"completion_tokens":(\d+)/.exec(tail)?.[1];
  if (Number(tokens) !== load.outputTokens) {
    throw new Error(
      `expected ${load.outputTokens} output tokens, got ${tokens}: ${tail.slice(-400)}`,
    );
  }
}

async function run(requests: readonly Uint8Array[]): Promise<Timing[]> {
  const timings: Timing[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: load.concurrency }, async () => {
      using lane = await Lane.open();
      while (next < requests.length) timings.push(await lane.send(requests[next++]));
    }),
  );
  return timings;
}

const all = Array.from({ length: load.warmup + load.requests }, (_, i) => requestBytes(i));
await run(all.slice(0, load.warmup));
const startedMs = performance.now();
const timings = await run(all.slice(load.warmup));
const seconds = (performance.now() - startedMs) / 1000;
const first = timings.map((one) => one.firstMs);
const total = timings.map((one) => one.totalMs);
console.log(JSON.stringify(
  {
    seconds,
    requestsPerSecond: timings.length / seconds,
    tokensPerSecond: timings.length * load.outputTokens / seconds,
    ttftP50: quantile(first, 0.5),
    ttftP99: quantile(first, 0.99),
    totalP50: quantile(total, 0.5),
    totalP99: quantile(total, 0.99),
  } satisfies LoadResult,
));
