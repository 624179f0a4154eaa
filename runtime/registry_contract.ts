import { strict as assert } from "node:assert";
import { eventually } from "./testing/eventually.ts";
import type { Registry, RegistryEntry, WatchListener } from "./registry.ts";
import { leaseTtlMs, maxValueBytes } from "./registry_rules.ts";

/** A registry with its server, as the suite uses it. */
export interface RegistryWorld extends AsyncDisposable {
  /** A new client with a lease of its own. */
  connect(): Promise<Registry>;
  /** The server dies. */
  down(): Promise<void>;
  /** The server is back with the data it had, or with none where it keeps none. */
  up(): Promise<void>;
  /** Ends a client's lease behind its back; absent where a lease cannot end alone. */
  expire?(client: Registry): Promise<void>;
  /** Makes old revisions unreadable while the server is down; absent where there are none. */
  compact?(): Promise<void>;
}

/** Everything a watcher was told. */
class Watched implements WatchListener {
  readonly now = new Map<string, string>();
  readonly told: string[] = [];
  snapshots = 0;

  snapshot(entries: readonly RegistryEntry[]): void {
    this.snapshots++;
    this.now.clear();
    for (const { key, value } of entries) this.now.set(key, value);
    this.told.push(`snapshot ${entries.map(({ key }) => key).join()}`);
  }

  change(change: Parameters<WatchListener["change"]>[0]): void {
    if (change.kind === "put") this.now.set(change.entry.key, change.entry.value);
    else this.now.delete(change.key);
    this.told.push(
      change.kind === "put"
        ? `put ${change.entry.key}=${change.entry.value}`
        : `delete ${change.key}`,
    );
  }

  get state(): string {
    return JSON.stringify([...this.now].sort());
  }
}

/** What every registry must do, run on a real one. */
export function registryContract(
  name: string,
  options: {
    readonly ignore: boolean;
    /** True where worlds have `expire`. */
    readonly expires?: boolean;
    /** True where worlds have `compact`, and leases that must be kept alive. */
    readonly server?: boolean;
    open(): Promise<RegistryWorld>;
  },
): void {
  const test = (what: string, run: (world: RegistryWorld) => Promise<void>) => {
    Deno.test({
      name: `registry over ${name} ${what}`,
      ignore: options.ignore,
      fn: async () => {
        await using world = await options.open();
        await run(world);
      },
    });
  };
  const value = <T>(result: { ok: true; value: T } | { ok: false; error: { message: string } }) => {
    if (!result.ok) throw new Error(result.error.message);
    return result.value;
  };

  test("puts, lists in order, and removes", async (world) => {
    await using registry = await world.connect();
    value(await registry.put("/t/b", "2"));
    value(await registry.put("/t/a", "1"));
    value(await registry.put("/u/a", "other"));
    assert.deepEqual(value(await registry.list("/t/")), [
      { key: "/t/a", value: "1" },
      { key: "/t/b", value: "2" },
    ]);
    value(await registry.remove("/t/b"));
    value(await registry.remove("/t/never"));
    assert.deepEqual(value(await registry.list("/t/")), [{ key: "/t/a", value: "1" }]);
    assert.deepEqual(value(await registry.list("/nothing/")), []);
  });

  test("watches: a snapshot, then every change once and in order", async (world) => {
    await using writer = await world.connect();
    await using reader = await world.connect();
    value(await writer.put("/w/a", "1"));
    const seen = new Watched();
    const watch = value(await reader.watch("/w/", seen));
    assert.deepEqual(seen.told, ["snapshot /w/a"]);
    for (let i = 0; i < 20; i++) value(await writer.put("/w/b", `${i}`));
    value(await writer.put("/x/b", "not ours"));
    value(await writer.remove("/w/a"));
    await eventually(() => seen.told.length >= 22, () => `${seen.told.length} of 22`);
    assert.deepEqual(seen.told.slice(1), [
      ...Array.from({ length: 20 }, (_, i) => `put /w/b=${i}`),
      "delete /w/a",
    ]);
    watch[Symbol.dispose]();
    const other = new Watched();
    value(await reader.watch("/w/", other));
    value(await writer.put("/w/c", "1"));
    await eventually(() => other.now.has("/w/c"), () => other.state);
    assert.equal(seen.told.length, 22, "a disposed watch is told nothing");
  });

  test("misses nothing that is written while a watch starts", async (world) => {
    await using writer = await world.connect();
    await using reader = await world.connect();
    const seen = new Watched();
    const writing = (async () => {
      for (let i = 0; i < 60; i++) value(await writer.put(`/race/${i}`, "x"));
    })();
    value(await reader.watch("/race/", seen));
    await writing;
    await eventually(() => seen.now.size === 60, () => `${seen.now.size} of 60`);
  });

  test("keeps a registered key until it is disposed, and updates it", async (world) => {
    await using owner = await world.connect();
    await using reader = await world.connect();
    const seen = new Watched();
    value(await reader.watch("/r/", seen));
    const registration = value(await owner.register("/r/1", "one"));
    const updates = ["two", "three", "four"].map((next) => registration.update(next));
    for (const update of updates) value(await update);
    await eventually(() => seen.now.get("/r/1") === "four", () => seen.state);
    await registration[Symbol.asyncDispose]();
    await registration[Symbol.asyncDispose]();
    await eventually(() => !seen.now.has("/r/1"), () => seen.state);
  });

  test("removes a closed client's keys at once", async (world) => {
    await using reader = await world.connect();
    const owner = await world.connect();
    value(await owner.register("/c/1", "one"));
    const seen = new Watched();
    value(await reader.watch("/c/", seen));
    assert.equal(seen.now.size, 1);
    await owner[Symbol.asyncDispose]();
    await eventually(() => seen.now.size === 0, () => seen.state);
  });

  test("ends a key put with a time to live", async (world) => {
    await using registry = await world.connect();
    const seen = new Watched();
    value(await registry.watch("/ttl/", seen));
    value(await registry.put("/ttl/1", "one", { ttlMs: 1_000 }));
    await eventually(() => seen.told.includes("put /ttl/1=one"), () => seen.state);
    await eventually(() => seen.now.size === 0, () => seen.state);
    assert.deepEqual(value(await registry.list("/ttl/")), []);
  });

  test("lets one of two claim a key, again and again, until its time is over", async (world) => {
    await using one = await world.connect();
    await using two = await world.connect();
    const options = { ttlMs: 1_000 };
    assert.equal(value(await one.claim("/claim/1", "one", options)), true);
    assert.equal(value(await two.claim("/claim/1", "two", options)), false);
    assert.equal(value(await one.claim("/claim/1", "one", options)), true);
    assert.deepEqual(value(await two.list("/claim/")), [{ key: "/claim/1", value: "one" }]);
    const seen = new Watched();
    value(await two.watch("/claim/", seen));
    await eventually(() => seen.now.size === 0, () => seen.state);
    assert.equal(value(await two.claim("/claim/1", "two", options)), true);
    assert.equal(value(await one.claim("/claim/1", "one", options)), false);
    value(await two.remove("/claim/1"));
    assert.equal(value(await one.claim("/claim/1", "one", options)), true);
  });

  test("refuses a value over its limit", async (world) => {
    await using registry = await world.connect();
    const over = await registry.put("/big", "x".repeat(maxValueBytes + 1));
    assert.equal(!over.ok && over.error.code, "payload_too_large");
    value(await registry.put("/big", "x".repeat(maxValueBytes)));
  });

  test("throws on what is no key", async (world) => {
    await using registry = await world.connect();
    await assert.rejects(async () => await registry.put("no slash", "x"), TypeError);
  });

  if (options.expires) {
    test("registers everything again after a lost lease", async (world) => {
      await using owner = await world.connect();
      await using reader = await world.connect();
      value(await owner.register("/l/1", "one"));
      value(await owner.register("/l/2", "two"));
      const seen = new Watched();
      value(await reader.watch("/l/", seen));
      await world.expire!(owner);
      await eventually(() => seen.told.includes("delete /l/1"), () => seen.told.join("; "));
      await eventually(
        () => seen.state === `[["/l/1","one"],["/l/2","two"]]`,
        () => seen.told.join("; "),
      );
    });
  }

  test("says it is down, keeps the last state, and recovers within 2 s", async (world) => {
    await using owner = await world.connect();
    await using reader = await world.connect();
    const registration = value(await owner.register("/d/1", "one"));
    const seen = new Watched();
    value(await reader.watch("/d/", seen));
    await world.down();
    await eventually(
      () => owner.status === "disconnected" && reader.status === "disconnected",
      () => `${owner.status} and ${reader.status}`,
    );
    assert.deepEqual([...seen.now], [["/d/1", "one"]], "the last state is kept");
    const listed = await reader.list("/d/");
    assert.equal(!listed.ok && listed.error.code, "registry_unavailable");
    const put = await owner.put("/d/2", "lost");
    assert.equal(!put.ok && put.error.code, "registry_unavailable");
    const updated = await registration.update("newer");
    assert.equal(!updated.ok && updated.error.code, "registry_unavailable");
    await world.up();
    const upMs = performance.now();
    await eventually(() => seen.now.get("/d/1") === "newer", () => seen.told.join("; "));
    const recoveredMs = performance.now() - upMs;
    assert.ok(recoveredMs < 2_000, `recovered within 2 s, took ${recoveredMs} ms`);
    value(await reader.put("/d/3", "three"));
    await eventually(() => seen.now.has("/d/3"), () => seen.told.join("; "));
    await eventually(() => owner.status === "connected", () => owner.status);
  });

  if (options.server) {
    test("tells a new snapshot after a compaction", async (world) => {
      await using reader = await world.connect();
      value(await reader.put("/k/old", "1"));
      const seen = new Watched();
      value(await reader.watch("/k/", seen));
      await world.down();
      await world.compact!();
      await eventually(() => seen.snapshots >= 2, () => seen.told.join("; "));
      // The reader may be back before the compaction: then what was written since reaches it as changes.
      await eventually(() => seen.state === `[["/k/new","2"]]`, () => seen.told.join("; "));
    });
  }

  if (options.server) {
    test("keeps a lease alive past its time to live", async (world) => {
      await using owner = await world.connect();
      await using reader = await world.connect();
      value(await owner.register("/alive/1", "one"));
      const seen = new Watched();
      value(await reader.watch("/alive/", seen));
      const endMs = performance.now() + leaseTtlMs + 1_500;
      await eventually(() => performance.now() > endMs, () => "time stands still");
      assert.deepEqual(seen.told, ["snapshot /alive/1"]);
    });
  }
}
