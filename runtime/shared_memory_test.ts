import assert from "node:assert/strict";
import { denoThreads } from "./threads_deno.ts";
import { namesIn } from "./libc.ts";
import { startOfProcess } from "./process_start.ts";
import { SharedMemory, unitsToTake } from "./shared_memory.ts";

const ignore = Deno.build.os === "windows";
const unitBytes = 64 * 1024;
const folder = Deno.build.os === "linux" ? "/dev/shm" : Deno.makeTempDirSync();

function freshPath(): string {
  return `${folder}/pixii-test-${crypto.randomUUID()}`;
}

Deno.test({
  name: "two isolates see each other's bytes; the name goes, the memory stays until unmapped",
  ignore,
  async fn() {
    const path = freshPath();
    const created = await SharedMemory.create(path, { bytes: 10 * unitBytes + 5, unitBytes });
    assert.ok(created.ok);
    using memory = created.value;
    assert.equal(memory.bytes, 10 * unitBytes);
    memory.view(0, 1)[0] = 42;
    using thread = denoThreads().start(
      new URL("./testdata/shared_memory_thread.ts", import.meta.url),
      "mapper",
    );
    const answer = await new Promise((resolve) => {
      thread.onMessage(resolve);
      thread.post({ path, bytes: memory.bytes, write: 7 });
    });
    assert.deepEqual(answer, { seen: 42 });
    assert.equal(memory.view(memory.bytes - 1, 1)[0], 7);
    assert.ok(namesIn(folder).includes(path.split("/").at(-1)!));
    assert.equal(memory.unlink(), true);
    assert.equal(memory.unlink(), false);
    assert.equal(memory.view(memory.bytes - 1, 1)[0], 7);
    const gone = await SharedMemory.open(path, 1);
    assert.ok(!gone.ok && gone.error.code === "not_found");
  },
});

Deno.test({
  name: "SharedMemory.create() takes no name that is taken, and less where the system has no room",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const path = freshPath();
    const first = await SharedMemory.create(path, { bytes: unitBytes, unitBytes });
    assert.ok(first.ok);
    assert.ok(!(await SharedMemory.create(path, { bytes: unitBytes, unitBytes })).ok);
    first.value.unlink();
    first.value[Symbol.dispose]();

    // Far more than any memory: what is there is asked for in terabytes, so nothing is allocated on the way.
    const none = await SharedMemory.create(path, { bytes: 2 ** 50, unitBytes: 2 ** 45 });
    assert.ok(!none.ok && /no room/.test(none.error.message), JSON.stringify(none));
    assert.ok(!namesIn(folder).includes(path.split("/").at(-1)!));
  },
});

Deno.test("unitsToTake() takes all that fit, else seven eighths of what is there", async () => {
  const asked: number[] = [];
  const room = (units: number) => (count: number) => {
    asked.push(count);
    return Promise.resolve(count <= units);
  };
  assert.equal(await unitsToTake(32, room(32)), 32);
  assert.deepEqual(asked, [32]);
  assert.equal(await unitsToTake(32, room(31)), 27);
  assert.equal(await unitsToTake(1000, room(80)), 70);
  assert.equal(await unitsToTake(32, room(1)), 1);
  assert.equal(await unitsToTake(32, room(0)), 0);
  assert.equal(await unitsToTake(0, room(9)), 0);
});

Deno.test({
  name: "SharedMemory refuses a file that is shorter than promised, and bytes outside",
  ignore,
  async fn() {
    const path = freshPath();
    const created = await SharedMemory.create(path, { bytes: unitBytes, unitBytes });
    assert.ok(created.ok);
    const memory = created.value;
    const longer = await SharedMemory.open(path, 2 * unitBytes);
    assert.ok(!longer.ok && /65536 bytes/.test(longer.error.message));
    const same = SharedMemory.at(memory);
    same.view(5, 1)[0] = 9;
    assert.equal(memory.view(0, 6)[5], 9);
    assert.throws(() => memory.view(unitBytes - 1, 2), RangeError);
    assert.throws(() => memory.view(-1, 2), RangeError);
    memory.unlink();
    memory[Symbol.dispose]();
    assert.throws(() => memory.view(0, 1), /unmapped/);
  },
});

Deno.test({
  name: "startOfProcess() tells a living process from one that is gone",
  ignore,
  async fn() {
    const own = startOfProcess(Deno.pid);
    assert.ok(own !== undefined);
    assert.equal(startOfProcess(Deno.pid), own);
    const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
    const theirs = startOfProcess(child.pid);
    assert.ok(theirs !== undefined);
    child.kill("SIGKILL");
    await child.status;
    assert.equal(startOfProcess(child.pid), undefined);
  },
});
