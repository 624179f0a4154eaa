import { strict as assert } from "node:assert";
import { systemClock } from "@pixii/runtime";
import { blockBytes, ScriptedGiver, scriptedKind } from "../testing/scripted_giver.ts";
import type {
  BlockDoor,
  BlockKind,
  BlockLink,
  BlockTransport,
  PullEnd,
} from "./block_transport.ts";

/** How a side differs from the others. */
export interface PartyOptions {
  readonly namespace?: string;
  readonly secret?: string;
}

/** A way that joins all its parties. */
export interface TransportWorld {
  /** A block manager's transport. */
  party(options?: PartyOptions): BlockTransport;
  /** An address to listen on, any free port. */
  readonly address: string;
}

const clock = systemClock();

/** Waits until something is true, for 5 s at most. */
export async function untilTrue(what: string, isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries++) {
    assert.ok(tries < 500, what);
    await clock.sleep(10);
  }
}

/** What became of a pull of blocks of the scripted kind. */
export async function pulled(
  link: BlockLink,
  los: readonly number[],
  slotBytes = scriptedKind.slotBytes,
): Promise<{ readonly ends: PullEnd[]; readonly views: Uint8Array[] }> {
  const blocks = los.map((lo) => ({ hi: 0, lo, view: new Uint8Array(slotBytes) }));
  const ends: PullEnd[] = [];
  const all = Promise.withResolvers<void>();
  let left = los.length;
  link.pull({
    blocks,
    done: (at, end) => {
      assert.equal(ends[at], undefined, "told once");
      ends[at] = end;
      if (--left === 0) all.resolve();
    },
  });
  await all.promise;
  return { ends, views: blocks.map(({ view }) => view) };
}

/** What every transport must do, run on a real one. */
export function blockTransportContract(
  name: string,
  options: { readonly ignore: boolean; open(): TransportWorld },
): void {
  const test = (
    what: string,
    run: (at: { world: TransportWorld; giver: ScriptedGiver; door: BlockDoor }) => Promise<void>,
  ) => {
    Deno.test({
      name: `blocks over ${name}: ${what}`,
      ignore: options.ignore,
      fn: async () => {
        const world = options.open();
        const giver = new ScriptedGiver();
        const opened = await world.party().listen(world.address, giver);
        assert.ok(opened.ok, JSON.stringify(opened));
        await using door = opened.value;
        await run({ world, giver, door });
      },
    });
  };
  const dial = async (world: TransportWorld, door: BlockDoor, kind: BlockKind = scriptedKind) => {
    const dialled = await world.party().dial(door.address, kind);
    assert.ok(dialled.ok, JSON.stringify(dialled));
    return dialled.value;
  };

  test("what is there lands whole in its slot, the rest is gone, nothing stays kept", async (at) => {
    const { world, giver, door } = at;
    for (let lo = 1; lo <= 40; lo++) giver.has.set(lo, blockBytes(lo, lo * 250));
    using link = await dial(world, door);
    const los = Array.from({ length: 42 }, (_, i) => i + 1);
    const { ends, views } = await pulled(link, los);
    assert.deepEqual(ends.slice(40), ["gone", "gone"]);
    for (let i = 0; i < 40; i++) {
      assert.equal(ends[i], "landed");
      const bytes = giver.has.get(i + 1) as Uint8Array;
      assert.deepEqual(views[i].subarray(0, bytes.length), bytes);
    }
    await untilTrue("leases end", () => giver.leases.size === 0);
    assert.equal(link.openBytes, 0);
  });

  test("several questions at a time are answered, each block once", async ({ world, giver, door }) => {
    for (let lo = 1; lo <= 64; lo++) giver.has.set(lo, blockBytes(lo));
    using link = await dial(world, door);
    const all = await Promise.all(
      Array.from(
        { length: 8 },
        (_, i) => pulled(link, Array.from({ length: 8 }, (_, j) => 8 * i + j + 1)),
      ),
    );
    assert.ok(all.every(({ ends }) => ends.every((end) => end === "landed")));
  });

  test("blocks longer than a read go straight into their slots", async ({ world, giver, door }) => {
    const large: BlockKind = { ...scriptedKind, slotBytes: 3 * 2 ** 20 };
    for (let lo = 1; lo <= 5; lo++) giver.has.set(lo, blockBytes(lo, 2 ** 21 + lo));
    using link = await dial(world, door, large);
    const { ends, views } = await pulled(link, [1, 2, 3, 4, 5], large.slotBytes);
    assert.deepEqual(ends, Array(5).fill("landed"));
    const bytes = giver.has.get(3) as Uint8Array;
    assert.deepEqual(views[2].subarray(0, bytes.length), bytes);
  });

  test("a block that a giver brings from below lands when it is there, or is gone", async (at) => {
    const { world, giver, door } = at;
    for (const lo of [1, 2]) giver.has.set(lo, "coming");
    using link = await dial(world, door);
    const pulling = pulled(link, [1, 2]);
    await untilTrue("asked", () => giver.leases.size === 1);
    giver.land(2);
    giver.lose(1);
    assert.deepEqual((await pulling).ends, ["gone", "landed"]);
    await untilTrue("leases end", () => giver.leases.size === 0);
  });

  test("a watch tells of what is committed later; its end lets go of it", async (at) => {
    const { world, giver, door } = at;
    giver.has.set(1, blockBytes(1));
    using link = await dial(world, door);
    const [there, gone]: number[][] = [[], []];
    const watch = link.watch({
      routes: Uint32Array.of(1, 0, 2, 0, 3, 0),
      there: (places) => there.push(...places),
      gone: (places) => gone.push(...places),
    });
    await untilTrue("the first is there", () => there.length === 1);
    giver.land(3);
    await untilTrue("the third is there", () => there.length === 2);
    assert.deepEqual(there, [0, 2]);
    giver.lose(2);
    await untilTrue("the second is gone", () => gone.length === 1);
    assert.deepEqual(gone, [1]);
    const { ends } = await pulled(link, [3]);
    assert.deepEqual(ends, ["landed"]);
    assert.equal(giver.leases.size, 1);
    watch[Symbol.dispose]();
    await untilTrue("the watch is over", () => giver.leases.size === 0);
  });

  test("a block that is not what it has to be is damaged, and the link goes on", async (at) => {
    const { world, giver, door } = at;
    const flipped = blockBytes(1);
    flipped[5_000] ^= 1;
    giver.has.set(1, flipped).set(2, blockBytes(7)).set(3, blockBytes(3).subarray(0, 4_000));
    const other = new Uint8Array(10_384);
    other.set(blockBytes(4));
    other[16] ^= 1;
    giver.has.set(4, other).set(5, blockBytes(5));
    using link = await dial(world, door);
    const { ends } = await pulled(link, [1, 2, 3, 4, 5]);
    assert.deepEqual(ends, ["damaged", "damaged", "damaged", "damaged", "landed"]);
  });

  test("the giver goes: what is open is cut, watches are gone, later pulls are cut", async (at) => {
    const { world, giver, door } = at;
    giver.has.set(1, "coming");
    using link = await dial(world, door);
    const pulling = pulled(link, [1]);
    const gone: number[] = [];
    link.watch({
      routes: Uint32Array.of(2, 0, 3, 0),
      there: () => assert.fail("nothing is there"),
      gone: (places) => gone.push(...places),
    });
    await untilTrue("asked", () => giver.leases.size === 2);
    await door[Symbol.asyncDispose]();
    assert.deepEqual((await pulling).ends, ["cut"]);
    assert.match(await link.ended, /./);
    assert.deepEqual(gone, [0, 1]);
    assert.equal(giver.leases.size, 0);
    assert.deepEqual((await pulled(link, [1])).ends, ["cut"]);
  });

  test("the asker goes: the giver lets go of everything", async ({ world, giver, door }) => {
    giver.has.set(1, "coming");
    const link = await dial(world, door);
    const pulling = pulled(link, [1]);
    link.watch({ routes: Uint32Array.of(2, 0), there: () => {}, gone: () => {} });
    await untilTrue("asked", () => giver.leases.size === 2);
    link[Symbol.dispose]();
    assert.deepEqual((await pulling).ends, ["cut"]);
    await untilTrue("all is let go of", () => giver.leases.size === 0);
  });

  test("another layout, namespace or secret is refused in one sentence", async ({ world, door }) => {
    const refused = async (options: PartyOptions, kind: BlockKind = scriptedKind) => {
      const dialled = await world.party(options).dial(door.address, kind);
      assert.ok(!dialled.ok);
      return dialled.error.message;
    };
    assert.match(await refused({}, { ...scriptedKind, lo: 9 }), /no worker here .* this layout$/);
    assert.match(await refused({ namespace: "other" }), /namespace other, .* same --namespace$/);
    const secrets = await refused({ secret: "hush" });
    assert.match(secrets, /the secrets differ: .* --kv-peer-secret$/);
    assert.doesNotMatch(secrets, /hush/);
    const none = await world.party().dial("127.0.0.1:1", scriptedKind);
    assert.ok(!none.ok && none.error.code === "no_responders");
  });

  test("one secret on both sides lets in", async ({ world, giver }) => {
    const opened = await world.party({ secret: "hush" }).listen(world.address, giver);
    assert.ok(opened.ok);
    await using door = opened.value;
    const dialled = await world.party({ secret: "hush" }).dial(door.address, scriptedKind);
    assert.ok(dialled.ok);
    giver.has.set(1, blockBytes(1));
    assert.deepEqual((await pulled(dialled.value, [1])).ends, ["landed"]);
    dialled.value[Symbol.dispose]();
    for (const secret of ["", "other"]) {
      assert.equal((await world.party({ secret }).dial(door.address, scriptedKind)).ok, false);
    }
  });
}
