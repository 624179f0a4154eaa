import assert from "node:assert/strict";
import { fail, keys, limits, modelHashOf, ok } from "@pixii/wire";
import type { VocabularyArtifact } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import { readArtifact } from "../tokens/read_artifact.ts";
import { scriptedModel, ScriptedWorld } from "../testing/scripted_world.ts";
import type { ScriptedWorker } from "../testing/scripted_worker.ts";
import { createModelDirectory } from "./directory_watch.ts";
import type { WatchedDirectory } from "./directory_watch.ts";
import { sha256Hex } from "./digest.ts";

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** An artifact of several parts: numbers that hardly compress. */
async function bigArtifact(): Promise<{ artifact: VocabularyArtifact; bytes: Uint8Array }> {
  let word = 1;
  const vocab: Record<string, number> = {};
  for (let i = 0; i < 60_000; i++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    vocab[word.toString(36) + ((word * 2_654_435) >>> 0).toString(36)] = i;
  }
  const artifact: VocabularyArtifact = {
    version: 1,
    tokenizer: { model: { vocab } },
    tokenizerConfig: {},
    addBos: false,
    eosTokenIds: [2],
    pre: "smollm",
  };
  return { artifact, bytes: await gzip(new TextEncoder().encode(JSON.stringify(artifact))) };
}

interface Shelf extends AsyncDisposable {
  readonly world: ScriptedWorld;
  readonly directory: WatchedDirectory;
  readonly loaded: VocabularyArtifact[];
}

/** A world whose workers have `bytes` as their artifact, and a directory that loads it. */
async function withArtifact(bytes: Uint8Array, workers: number): Promise<Shelf> {
  const world = await ScriptedWorld.open({ workers: 0 });
  const loaded: VocabularyArtifact[] = [];
  const opened = await createModelDirectory({
    context: world.context,
    loadVocabulary: (json) => {
      const artifact = readArtifact(json);
      if (!artifact.ok) return artifact;
      loaded.push(artifact.value);
      return ok({ size: loaded.length } as Vocabulary);
    },
  });
  assert.ok(opened.ok);
  const artifactDigest = await sha256Hex(bytes);
  for (let i = 0; i < workers; i++) {
    const worker = await world.addWorker({ artifactDigest, artifactBytes: bytes.length });
    worker.script.artifact = bytes;
  }
  await world.clock.advance(0);
  const directory = opened.value;
  return {
    ...{ world, directory, loaded },
    async [Symbol.asyncDispose]() {
      await directory[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

const served = (directory: WatchedDirectory) => directory.find(scriptedModel);

Deno.test("a directory joins the cards of a model's workers", async () => {
  await using world = await ScriptedWorld.open({ workers: 0 });
  assert.deepEqual(world.directory.list(), []);
  await world.addWorker({ contextLength: 2048, createdAt: 20 });
  await world.addWorker({ contextLength: 1024, createdAt: 30 });
  await world.clock.advance(0);
  const model = served(world.directory)!;
  assert.deepEqual(
    [model.name, model.hash, model.contextLength, model.createdAt, model.cards.length],
    [scriptedModel, modelHashOf(scriptedModel), 1024, 20, 2],
  );
  assert.equal(world.directory.find("other"), undefined);
  assert.equal(served(world.directory), model);
});

Deno.test("a directory keeps the weights that most workers have, and says so once", async () => {
  await using world = await ScriptedWorld.open({ workers: 0 });
  const [one, two] = ["1".repeat(64), "2".repeat(64)];
  await world.addWorker({ modelDigest: two });
  await world.addWorker({ modelDigest: one });
  await world.clock.advance(0);
  assert.deepEqual(served(world.directory)!.cards.map((card) => card.modelDigest), [two]);
  await world.addWorker({ modelDigest: one });
  await world.clock.advance(0);
  assert.deepEqual(served(world.directory)!.cards.map((card) => card.modelDigest), [one, one]);
  const said = world.log.lines.filter((line) => line.level === "warn");
  assert.equal(said.length, 1);
});

Deno.test("a deleted card stays 3 s while its worker is heard of", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  world.registries.remove(keys("test").model(modelHashOf(scriptedModel), world.workers[0].id));
  await world.clock.advance(limits.deadMs - 250);
  assert.ok(served(world.directory) !== undefined);
  await world.clock.advance(500);
  assert.equal(served(world.directory), undefined);
});

Deno.test("a deleted card of a silent worker goes at once, and comes back with its key", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const [worker] = world.workers;
  worker.script.isSilent = true;
  await world.clock.advance(1_000);
  worker.registry.disconnect();
  await world.clock.advance(5_000);
  assert.equal(served(world.directory), undefined);
  worker.script.isSilent = false;
  worker.registry.reconnect();
  await world.clock.advance(300);
  assert.equal(served(world.directory)?.cards.length, 1);
});

Deno.test("a lease that is lost and taken anew changes nothing", async () => {
  await using world = await ScriptedWorld.open({ workers: 2 });
  const before = served(world.directory);
  world.workers[0].registry.expire();
  await world.clock.advance(4_000);
  assert.equal(served(world.directory), before);
});

Deno.test("a registry that was away gives a new snapshot", async () => {
  await using world = await ScriptedWorld.open({ workers: 2 });
  const registry = world.context.registry as typeof world.workers[0]["registry"];
  registry.disconnect();
  world.workers[0].kill();
  await world.clock.advance(6_000);
  assert.equal(served(world.directory)!.cards.length, 2);
  registry.reconnect();
  await world.clock.advance(500);
  assert.deepEqual(served(world.directory)!.cards.map((card) => card.instance), [
    world.workers[1].id,
  ]);
});

Deno.test("a card that is not understood is left out", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  world.registries.put(`${keys("test").models}0123456789abcdef/x`, '{"v":2}', undefined);
  await world.clock.advance(0);
  assert.equal(world.directory.list().length, 1);
  assert.ok(world.log.lines.some((line) => line.message === "a model card is not understood"));
});

Deno.test("vocabulary() fetches an artifact in parts, once for all who ask", async () => {
  const { artifact, bytes } = await bigArtifact();
  assert.ok(bytes.length > limits.partBytes, `${bytes.length} bytes are one part`);
  await using shelf = await withArtifact(bytes, 2);
  const model = served(shelf.directory)!;
  const [one, two] = await Promise.all([model.vocabulary(), model.vocabulary()]);
  const three = await model.vocabulary();
  assert.ok(one.ok && two.ok && three.ok);
  assert.equal(one.value, three.value);
  assert.deepEqual(shelf.loaded, [artifact]);
});

Deno.test("vocabulary() takes another worker's where one is damaged, cut, strange or dead", async () => {
  const { bytes } = await bigArtifact();
  const flipped = bytes.slice();
  flipped[flipped.length >> 1] ^= 1;
  const breaks: ((worker: ScriptedWorker) => void)[] = [
    (worker) => worker.script.artifact = flipped,
    (worker) => worker.script.artifact = bytes.slice(0, -1),
    (worker) => worker.script.artifact = new Uint8Array(),
    (worker) => worker.kill(),
  ];
  for (const damage of breaks) {
    await using shelf = await withArtifact(bytes, 2);
    damage(shelf.world.workers[0]);
    const vocabulary = await served(shelf.directory)!.vocabulary();
    assert.ok(vocabulary.ok);
    assert.equal(shelf.loaded.length, 1);
  }
});

Deno.test("vocabulary() fails where nobody has it whole, and tries again when asked again", async () => {
  const { bytes } = await bigArtifact();
  await using shelf = await withArtifact(bytes, 1);
  const [worker] = shelf.world.workers;
  worker.script.artifact = bytes.slice().fill(0);
  const damaged = await served(shelf.directory)!.vocabulary();
  assert.equal(damaged.ok || damaged.error.code, "artifact_invalid");
  worker.script.artifact = bytes;
  assert.ok((await served(shelf.directory)!.vocabulary()).ok);
});

Deno.test("vocabulary() refuses what is no gzip, no JSON or no artifact", async () => {
  const text = (content: string) => new TextEncoder().encode(content);
  const contents = [text("plain"), await gzip(text("{")), await gzip(text('{"version":2}'))];
  for (const bytes of contents) {
    await using shelf = await withArtifact(bytes, 1);
    const vocabulary = await served(shelf.directory)!.vocabulary();
    assert.equal(vocabulary.ok || vocabulary.error.code, "artifact_invalid");
    assert.equal(shelf.loaded.length, 0);
  }
});

Deno.test("vocabulary() passes on what the loader says", async () => {
  await using world = await ScriptedWorld.open({ workers: 0 });
  const { bytes } = await bigArtifact();
  const { ok: isOpen, ...opened } = await createModelDirectory({
    context: world.context,
    loadVocabulary: () => fail("artifact_invalid", "pre-tokenizer not known"),
  });
  assert.ok(isOpen && "value" in opened);
  await using directory = opened.value;
  const worker = await world.addWorker({
    artifactDigest: await sha256Hex(bytes),
    artifactBytes: bytes.length,
  });
  worker.script.artifact = bytes;
  await world.clock.advance(0);
  const vocabulary = await served(directory)!.vocabulary();
  assert.equal(vocabulary.ok || vocabulary.error.message, "pre-tokenizer not known");
});
