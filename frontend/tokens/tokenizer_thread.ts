/** The thread beside the frontend's event loop: makes vocabularies and encodes long prompts, one call after another. */
import type { Result } from "@pixii/wire";
import { v8Heap } from "@pixii/runtime/heap";
import { ByteLevelVocabulary } from "./byte_level_vocabulary.ts";
import { readArtifact } from "./read_artifact.ts";
import type { FromTokenizerThread, ToTokenizerThread } from "./thread_messages.ts";
import { tablesOf } from "./vocabulary_tables.ts";

const scope = self as unknown as {
  onmessage: (event: { data: ToTokenizerThread }) => void;
  postMessage(message: FromTokenizerThread, transfer?: readonly Transferable[]): void;
};

const vocabularies = new Map<number, ByteLevelVocabulary>();
const heap = v8Heap();

function receive(message: ToTokenizerThread): void {
  if (message.op === "load") {
    const artifact = readArtifact(message.json);
    const tables = artifact.ok ? tablesOf(artifact.value) : artifact;
    scope.postMessage({ op: "loaded", call: message.call, tables });
  } else if (message.op === "use") {
    vocabularies.set(message.key, new ByteLevelVocabulary(message.tables));
  } else if (message.op === "forget") {
    vocabularies.delete(message.key);
  } else if (message.op === "rest") {
    heap.collect();
  } else {
    const ids = encoded(message, vocabularies.get(message.key)!);
    const transfer = ids.ok ? [ids.value.buffer as ArrayBuffer] : [];
    scope.postMessage({ op: "encoded", call: message.call, ids }, transfer);
  }
}

function encoded(
  message: Extract<ToTokenizerThread, { op: "encode" | "chat" }>,
  vocabulary: ByteLevelVocabulary,
): Result<Uint32Array> {
  const ids = message.op === "encode"
    ? vocabulary.encodePrompt(message.text, message.options)
    : vocabulary.encodeChat(message.messages, message.options);
  // Without another place for long prompts it is done at once.
  return ids as Result<Uint32Array>;
}

scope.onmessage = (event) => receive(event.data);
