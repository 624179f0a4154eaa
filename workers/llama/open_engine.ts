import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Thread } from "@pixii/runtime";
import { buildArtifact } from "../artifact/build_artifact.ts";
import type { Engine } from "../engine.ts";
import { kvBytesPerToken, layersOf } from "../gguf/kv_bytes.ts";
import { readGguf } from "../gguf/reader.ts";
import { LlamaEngine } from "./engine.ts";
import type { LlamaOptions, Opened } from "./engine.ts";
import { kvElementBytes, kvTypeProblem } from "./kv_type.ts";
import { modelDigest } from "./model_digest.ts";
import { sharedLayout } from "./thread_messages.ts";
import type { FromThread, OpenMessage } from "./thread_messages.ts";

/** Opens llama.cpp on a GGUF file, or says in one sentence why not. */
export async function openLlamaEngine(options: LlamaOptions): Promise<Result<Engine>> {
  const gguf = await readGguf(options.path);
  if (!gguf.ok) return gguf;
  const artifact = await buildArtifact(gguf.value);
  if (!artifact.ok) return artifact;
  const unfit = kvTypeProblem(gguf.value, options.kvType);
  if (unfit !== undefined) return fail("invalid_request", unfit);
  const kvBytes = kvBytesPerToken(gguf.value, kvElementBytes(options.kvType));
  if (kvBytes === undefined) {
    return fail(
      "invalid_request",
      `Cannot load ${options.path}: its header lacks the sizes of its attention; download the model again or use another`,
    );
  }
  const shared = new SharedArrayBuffer(sharedLayout.bytes);
  const thread = options.threadsPort.start(new URL("./thread.ts", import.meta.url), "llama");
  const [opened, file] = await Promise.all([
    openThread(thread, {
      op: "open",
      path: options.path,
      contextLength: options.ctx,
      kvTokens: options.kvTokens,
      kvBytesPerToken: kvBytes,
      kvType: options.kvType,
      kept: options.kept,
      maxSeqs: options.maxSeqs,
      maxWaiting: options.maxWaiting,
      threads: options.threads,
      deterministic: options.deterministic,
      endTokenIds: artifact.value.vocabulary.eosTokenIds,
      shared,
    }),
    fileFacts(options),
  ]);
  if (!opened.ok || !file.ok) {
    thread[Symbol.dispose]();
    return opened.ok ? file as Result<never> : opened;
  }
  return ok(
    new LlamaEngine({
      ...options,
      ...file.value,
      thread,
      shared,
      artifact: artifact.value,
      kvBytesPerToken: kvBytes,
      layers: layersOf(gguf.value) ?? 0,
      opened: opened.value,
    }),
  );
}

/** Starts the thread's engine; resolves when it is open or says why not. */
function openThread(thread: Thread, message: OpenMessage): Promise<Result<Opened>> {
  return new Promise((resolve) => {
    const refuse = (why: string) => resolve(fail("internal", `Cannot start the engine: ${why}`));
    thread.onError((error) => refuse(error.message));
    thread.onMessage((data) => {
      const answer = data as FromThread;
      if (answer.op === "opened") resolve(ok(answer));
      else if (answer.op === "refused") resolve({ ok: false, error: answer.error });
      else if (answer.op === "failed") refuse(answer.message);
    });
    thread.post(message);
  });
}

/** Digest and age of the model's file. It was readable a moment ago, so this seldom fails. */
async function fileFacts(
  { path, cacheFolder }: LlamaOptions,
): Promise<Result<{ readonly modelDigest: string; readonly createdAt: number }>> {
  try {
    const { mtime } = await Deno.stat(path);
    const createdAt = Math.floor((mtime?.getTime() ?? 0) / 1000);
    return ok({ modelDigest: await modelDigest(path, cacheFolder), createdAt });
  } catch (error) {
    const why = (error as Error).message;
    return fail("invalid_request", `Cannot load ${path}: ${why}; name a file that stays there`);
  }
}
