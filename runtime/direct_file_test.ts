import assert from "node:assert/strict";
import { directBytes, DirectFile, PathLock } from "./direct_file.ts";
import { SharedMemory } from "./shared_memory.ts";

const ignore = Deno.build.os === "windows";

Deno.test({
  name: "DirectFile writes scattered pages in one call and reads them back scattered otherwise",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    const made = await SharedMemory.create(`${folder}/pool`, {
      ...{ bytes: 8 * directBytes, unitBytes: directBytes },
    });
    assert.ok(made.ok);
    using memory = made.value;
    const page = (at: number) => memory.view(at * directBytes, directBytes);
    const opened = await DirectFile.open(`${folder}/file`, 16 * directBytes);
    assert.ok(opened.ok);
    using file = opened.value;
    page(6).fill(6);
    page(1).fill(1);
    page(3).fill(3);
    assert.ok(await file.write([page(6), page(1), page(3)], 4 * directBytes));
    assert.ok(await file.sync());
    assert.ok(await file.read([page(0), page(7)], 5 * directBytes));
    assert.deepEqual([page(0)[9], page(7)[4095]], [1, 3]);
    // Over the end there is nothing to read.
    assert.equal(await file.read([page(0)], 16 * directBytes), false);
    assert.equal((await Deno.stat(`${folder}/file`)).size, 16 * directBytes);
    file[Symbol.dispose]();
    assert.equal(await file.read([page(0)], 0), false);

    // The same size again: what was written is there. Another size: anew.
    const again = await DirectFile.open(`${folder}/file`, 16 * directBytes);
    assert.ok(again.ok && await again.value.read([page(2)], 4 * directBytes));
    again.value[Symbol.dispose]();
    assert.equal(page(2)[0], 6);
    const anew = await DirectFile.open(`${folder}/file`, 8 * directBytes);
    assert.ok(anew.ok && await anew.value.read([page(2)], 4 * directBytes));
    anew.value[Symbol.dispose]();
    assert.equal(page(2)[0], 0);
    const nowhere = await DirectFile.open(`${folder}/none/file`, directBytes);
    assert.ok(!nowhere.ok && /folder is missing/.test(nowhere.error.message));
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "DirectFile.open() fails and leaves no file where there is no room",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const path = `/dev/shm/pixii-test-${crypto.randomUUID()}`;
    const opened = await DirectFile.open(path, 2 ** 50);
    assert.ok(!opened.ok && /no room/.test(opened.error.message), JSON.stringify(opened));
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  },
});

Deno.test({
  name: "PathLock is one holder's at a time, and free when that is gone",
  ignore,
  async fn() {
    const path = await Deno.makeTempFile();
    const first = PathLock.take(path);
    assert.ok(first);
    assert.equal(PathLock.take(path), undefined);
    first[Symbol.dispose]();
    const second = PathLock.take(path);
    assert.ok(second);
    second[Symbol.dispose]();
    assert.equal(PathLock.take(`${path}/none`), undefined);
    await Deno.remove(path);
  },
});
