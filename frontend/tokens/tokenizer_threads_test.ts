import assert from "node:assert/strict";
import { denoThreads, recordingLog, VirtualClock } from "@pixii/runtime";
import type { Thread, Threads } from "@pixii/runtime";
import type { Result, VocabularyArtifact } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import { smallArtifact } from "../testing/small_artifact.ts";
import { loadVocabulary } from "./load_vocabulary.ts";
import type { ToTokenizerThread } from "./thread_messages.ts";
import { TokenizerThreads } from "./tokenizer_threads.ts";

const jsonOf = (artifact: VocabularyArtifact) => new TextEncoder().encode(JSON.stringify(artifact));

/** Threads' owner under a clock that stands still. */
function tokenizersOn(threads: Threads, clock = new VirtualClock()): TokenizerThreads {
  return new TokenizerThreads({ threads, clock, log: recordingLog("test") });
}

async function loaded(tokenizers: TokenizerThreads, artifact = smallArtifact()) {
  const vocabulary = await tokenizers.load(jsonOf(artifact));
  assert.ok(vocabulary.ok, JSON.stringify(vocabulary));
  return vocabulary.value;
}

function atOnce(artifact = smallArtifact()): Vocabulary {
  const vocabulary = loadVocabulary(artifact);
  assert.ok(vocabulary.ok);
  return vocabulary.value;
}

/** Threads that do nothing but fail when they are asked to. */
class FailingThreads implements Threads {
  readonly handlers: ((error: Error) => void)[] = [];
  disposed = 0;

  start(): Thread {
    return {
      post: () => {},
      onMessage: () => {},
      onError: (handler) => void this.handlers.push(handler),
      [Symbol.dispose]: () => void (this.disposed += 1),
    };
  }
}

Deno.test("load() makes the same vocabulary on a thread as at once", async () => {
  using tokenizers = tokenizersOn(denoThreads());
  const vocabulary = await loaded(tokenizers);
  const here = atOnce();
  assert.equal(vocabulary.size, here.size);
  const text = "hello<|end|> the world<think> éaaaaaa";
  for (const parseSpecials of [true, false]) {
    const options = { parseSpecials };
    assert.deepEqual(vocabulary.encode(text, options), here.encode(text, options));
  }
});

Deno.test("load() passes on what is wrong with an artifact", async () => {
  using tokenizers = tokenizersOn(denoThreads());
  for (const json of [jsonOf(smallArtifact({ pre: "other" })), new TextEncoder().encode("{")]) {
    const vocabulary = await tokenizers.load(json);
    assert.equal(vocabulary.ok || vocabulary.error.code, "artifact_invalid");
  }
});

Deno.test("short prompts are encoded at once, long ones on a thread, to the same ids", async () => {
  using tokenizers = tokenizersOn(denoThreads());
  const artifacts = ["gpt-2", "llama-bpe"].map((pre) => smallArtifact({ pre, addBos: true }));
  for (const artifact of artifacts) {
    const vocabulary = await loaded(tokenizers, artifact);
    const here = atOnce(artifact);
    const options = { parseSpecials: true, addBos: true };
    assert.ok(!(vocabulary.encodePrompt("hello", options) instanceof Promise));
    for (const text of ["a".repeat(200_000), "hello <|end|> ".repeat(60_000)]) {
      const ids = vocabulary.encodePrompt(text, options);
      assert.ok(ids instanceof Promise);
      assert.deepEqual(await ids, here.encodePrompt(text, options));
      const messages = [{ role: "user", content: text }];
      const chat = vocabulary.encodeChat(messages, { nowMs: 0 });
      assert.ok(chat instanceof Promise);
      assert.deepEqual(await chat, here.encodeChat(messages, { nowMs: 0 }));
    }
  }
});

Deno.test("a long prompt stops at the most tokens of use on its thread too", async () => {
  using tokenizers = tokenizersOn(denoThreads());
  const vocabulary = await loaded(tokenizers);
  const options = { parseSpecials: true, mostTokens: 100 };
  const ids = await vocabulary.encodePrompt("the world ".repeat(100_000), options);
  assert.equal(ids.ok || ids.error.code, "context_length_exceeded");
});

Deno.test("the thread of long prompts forgets vocabularies that others drove out, and learns them again", async () => {
  using tokenizers = tokenizersOn(denoThreads());
  const vocabularies: Vocabulary[] = [];
  for (let i = 0; i < 6; i++) vocabularies.push(await loaded(tokenizers));
  const text = "a".repeat(150_000);
  const expected = atOnce().encode(text, { parseSpecials: false });
  for (const vocabulary of [...vocabularies, ...vocabularies]) {
    const ids = await vocabulary.encodePrompt(text, { parseSpecials: false });
    assert.ok(ids.ok);
    assert.deepEqual(ids.value, expected);
  }
});

Deno.test("what waits for a thread fails with it, and the next call starts another", async () => {
  const real = denoThreads();
  const failing = new FailingThreads();
  const chosen = { threads: real as Threads };
  using tokenizers = tokenizersOn({ start: (url, name) => chosen.threads.start(url, name) });
  const vocabulary = await loaded(tokenizers);
  chosen.threads = failing;
  const text = "a".repeat(150_000);
  const ask = () => vocabulary.encodePrompt(text, { parseSpecials: false });
  const lost = ask() as Promise<Result<Uint32Array>>;
  failing.handlers[0](new Error("out of memory"));
  const failed = await lost;
  assert.equal(failed.ok || failed.error.code, "internal");
  chosen.threads = real;
  const again = await ask();
  assert.ok(again.ok && again.value.length > 0);
  assert.equal(failing.disposed, 1);
});

Deno.test("too many long prompts at once are refused", async () => {
  const failing = new FailingThreads();
  const chosen = { threads: denoThreads() as Threads };
  using tokenizers = tokenizersOn({ start: (url, name) => chosen.threads.start(url, name) });
  const vocabulary = await loaded(tokenizers);
  chosen.threads = failing;
  const text = "a".repeat(16 * 1024 * 1024);
  const asked = Array.from(
    { length: 5 },
    () => vocabulary.encodePrompt(text, { parseSpecials: false }),
  );
  const last = await asked[4];
  assert.equal(last.ok || last.error.code, "overloaded");
  tokenizers[Symbol.dispose]();
  for (const result of await Promise.all(asked.slice(0, 4))) assert.ok(!result.ok);
});

Deno.test("the thread of long prompts rests and ends when none comes, and starts again", async () => {
  const real = denoThreads();
  const running = new Set<Thread>();
  let rests = 0;
  const clock = new VirtualClock();
  using tokenizers = tokenizersOn({
    start: (url, name) => {
      const thread = real.start(url, name);
      running.add(thread);
      return {
        post: (message, transfer) => {
          if ((message as ToTokenizerThread).op === "rest") rests += 1;
          thread.post(message, transfer);
        },
        onMessage: (handler) => thread.onMessage(handler),
        onError: (handler) => thread.onError(handler),
        [Symbol.dispose]: () => {
          running.delete(thread);
          thread[Symbol.dispose]();
        },
      };
    },
  }, clock);
  const vocabulary = await loaded(tokenizers);
  assert.equal(running.size, 0);
  for (let time = 0; time < 2; time++) {
    const ids = await vocabulary.encodePrompt("a".repeat(150_000), { parseSpecials: false });
    assert.ok(ids.ok);
    assert.equal(running.size, 1);
    await clock.advance(2_000);
    assert.equal(rests, 2 * time + 1);
    const rested = await vocabulary.encodePrompt("a".repeat(150_000), { parseSpecials: false });
    assert.deepEqual(rested, ids);
    await clock.advance(29_000);
    assert.equal(rests, 2 * time + 2);
    assert.equal(running.size, 1);
    await clock.advance(2_000);
    assert.equal(running.size, 0);
  }
});

Deno.test("after the end nothing is loaded or encoded any more", async () => {
  const tokenizers = tokenizersOn(denoThreads());
  const vocabulary = await loaded(tokenizers);
  tokenizers[Symbol.dispose]();
  const late = await tokenizers.load(jsonOf(smallArtifact()));
  assert.equal(late.ok || late.error.code, "draining");
  const text = "a".repeat(1024 * 1024);
  const ids = await vocabulary.encodePrompt(text, { parseSpecials: false });
  assert.equal(ids.ok || ids.error.code, "draining");
});
