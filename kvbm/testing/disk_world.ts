import assert from "node:assert/strict";
import { layoutHash } from "@pixii/wire";
import type { StoreWelcome } from "@pixii/wire";
import { parseConfig, SharedMemory, startService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { kvbmSchema } from "../config.ts";
import { kvbmSpec } from "../service.ts";
import { helloOf, ScriptedClient } from "./scripted_client.ts";
import { writeBlock } from "./scripted_source.ts";

/** What `/kv` says, as far as the tests look. */
export interface KvFacts {
  readonly host: { readonly blocks: number };
  readonly disk: {
    readonly blocks: number;
    readonly off: boolean;
    readonly bytes: number;
    readonly segments: number;
    readonly counts: Readonly<Record<string, number>>;
    readonly queue: Readonly<Record<string, number>>;
    readonly written: { readonly bytes: number };
  };
  readonly layouts: readonly {
    readonly fingerprint: string;
    readonly models: readonly string[];
    readonly disk: { readonly blocks: number };
  }[];
}

/** A kvbm with a small pool and a disk tier in a folder, over real files and a real socket. */
export class DiskWorld implements AsyncDisposable {
  readonly host: TestHost;
  readonly folder: string;
  readonly #running: Awaited<ReturnType<typeof startService<typeof kvbmSchema>>>;
  readonly #stack = new AsyncDisposableStack();

  private constructor(
    host: TestHost,
    folder: string,
    running: Awaited<ReturnType<typeof startService<typeof kvbmSchema>>>,
  ) {
    this.host = host;
    this.folder = folder;
    this.#running = running;
  }

  /** Starts one; `size` of the disk tier, `hostSize` of the pool. */
  static async open(
    folder: string,
    options: {
      readonly size?: string;
      readonly hostSize?: string;
      readonly args?: string[];
      readonly seed?: number;
    } = {},
  ): Promise<DiskWorld> {
    const { size = "16MiB", hostSize = "1MiB", args = [], seed } = options;
    const host = testHost({ seed });
    const parsed = parseConfig(kvbmSchema, {
      args: ["--kv-host", hostSize, "--kv-disk", `${size}:${folder}`, ...args],
      env: {},
    });
    assert.ok("config" in parsed, JSON.stringify(parsed));
    return new DiskWorld(host, folder, await startService(kvbmSpec, parsed.config, host));
  }

  get running() {
    return this.#running;
  }

  facts(): KvFacts {
    return this.#running.service.adminRoutes!["/kv"](new URL("http://x/kv")) as KvFacts;
  }

  async act<Answer>(path: string): Promise<Answer> {
    const url = new URL(`http://x${path}`);
    return await this.#running.service.adminActions![url.pathname](url) as Answer;
  }

  pool(): { readonly socket: string; readonly blocks: Readonly<Record<string, number>> } {
    return this.#running.service.adminRoutes!["/pool"](new URL("http://x/pool")) as never;
  }

  /** A worker that greets, with the pool mapped. */
  async worker(more: Parameters<typeof helloOf>[0] = {}): Promise<DiskWorker> {
    const client = this.#stack.use(await ScriptedClient.connect(this.pool().socket));
    const hello = helloOf(more);
    const welcome = await client.hello(hello) as StoreWelcome;
    assert.equal(typeof welcome, "object", String(welcome));
    const memory = await SharedMemory.open(welcome.path, welcome.poolBytes);
    assert.ok(memory.ok);
    this.#stack.use(memory.value);
    return new DiskWorker(client, memory.value, layoutHash(hello.layoutFingerprint));
  }

  /** Waits until all that was committed is on disk. */
  async written(blocks: number): Promise<void> {
    await this.until("all is on disk", () => this.facts().disk.blocks >= blocks);
  }

  /** Waits for a condition. */
  async until(what: string, done: () => boolean): Promise<void> {
    for (let tries = 0; !done(); tries++) {
      assert.ok(tries < 1_000, `${what}: ${JSON.stringify(this.facts())}`);
      await this.host.clock.sleep(5);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await this.#running.stop();
    await this.host[Symbol.asyncDispose]();
  }
}

/** A scripted worker whose blocks hold a byte that names them. */
export class DiskWorker {
  readonly client: ScriptedClient;
  readonly memory: SharedMemory;
  readonly #layout: { readonly hi: number; readonly lo: number };
  #lease = 100;

  constructor(
    client: ScriptedClient,
    memory: SharedMemory,
    layout: { readonly hi: number; readonly lo: number },
  ) {
    this.client = client;
    this.memory = memory;
    this.#layout = layout;
  }

  /** Writes and commits blocks of one chain, by route lo. */
  async put(...los: number[]): Promise<void> {
    for (const [index, lo] of los.entries()) {
      const [slot, page] = await this.client.ask("reserve", [], 1);
      assert.ok(slot > 0, "no slot");
      const parentLo = index === 0 ? undefined : los[index - 1];
      const view = this.memory.view(page * 4096, 12_288);
      writeBlock(view, { hi: 0, lo, layout: this.#layout, parentLo, index, fill: lo % 251 });
      await this.client.ask("commit", [slot, lo, 0, parentLo ?? 0, 0, index]);
    }
  }

  /** Finds blocks, waits for those that come and answers the fill of each, or what became of it. */
  async get(...los: number[]): Promise<(number | "none" | "lost")[]> {
    const lease = ++this.#lease;
    const found = await this.client.ask("find", los.flatMap((lo) => [lo, 0]), lease);
    const coming = found.filter((page, i) => i % 2 === 1 && found[i - 1] === 0 && page === 1);
    const outcome = los.map((_, i): number | "none" | "lost" =>
      found[2 * i] === 0 ? "none" : this.#fill(found[2 * i + 1])
    );
    const told = () => this.client.told.flatMap(({ op, words }) => rowsOf(op, words));
    const mine = () => told().filter((row) => row.lease === lease);
    while (mine().length < coming.length) await this.client.untilTold(this.client.told.length + 1);
    for (const { position, page } of mine()) {
      outcome[position] = page === undefined ? "lost" : this.#fill(page);
    }
    this.client.tell("release", [lease]);
    return outcome;
  }

  #fill(page: number): number {
    return this.memory.view(page * 4096 + 384, 1)[0];
  }
}

function rowsOf(op: string, words: readonly number[]) {
  const width = op === "landed" ? 4 : 2;
  return Array.from({ length: words.length / width }, (_, i) => {
    const [lease, position, , page] = words.slice(i * width, (i + 1) * width);
    return { lease, position, page };
  });
}
