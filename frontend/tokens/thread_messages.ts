import type { Result } from "@pixii/wire";
import type { ChatMessage } from "../core/vocabulary.ts";
import type { ChatOptions, PromptOptions } from "./byte_level_vocabulary.ts";
import type { VocabularyTables } from "./vocabulary_tables.ts";

/** To the thread that makes vocabularies and encodes long prompts. */
export type ToTokenizerThread =
  /** Make the tables of an artifact's JSON. */
  | { readonly op: "load"; readonly call: number; readonly json: Uint8Array }
  /** Use a vocabulary from now on, under this key. */
  | { readonly op: "use"; readonly key: number; readonly tables: VocabularyTables }
  | { readonly op: "forget"; readonly key: number }
  /** Nothing waits: give memory back to the system. */
  | { readonly op: "rest" }
  | {
    readonly op: "encode";
    readonly call: number;
    readonly key: number;
    readonly text: string;
    readonly options: PromptOptions;
  }
  | {
    readonly op: "chat";
    readonly call: number;
    readonly key: number;
    readonly messages: readonly ChatMessage[];
    readonly options: ChatOptions;
  };

/** From the thread: the answer to a call. */
export type FromTokenizerThread =
  | { readonly op: "loaded"; readonly call: number; readonly tables: Result<VocabularyTables> }
  | { readonly op: "encoded"; readonly call: number; readonly ids: Result<Uint32Array> };
