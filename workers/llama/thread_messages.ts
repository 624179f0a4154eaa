import type { Failure, KvEvent } from "@pixii/wire";
import type { EngineRequest, StepOutput } from "../engine.ts";
import type { HostRun, HostSlots, Landing, MappedPool } from "../kv_store/kv_store.ts";
import type { ModelFacts } from "./model.ts";
import type { HostBlockKind } from "./host_block_kind.ts";
import type { HostReport } from "./host_blocks.ts";
import type { KvTypeName } from "./kv_type.ts";
import type { StateShape } from "./state_blob.ts";

/** What the engine's thread is started with. */
export interface OpenMessage {
  readonly op: "open";
  readonly path: string;
  /** Most tokens of a sequence; 0 = the model's, up to `mostDefaultContext`. */
  readonly contextLength: number;
  /** KV cells; 0 = as many as the context length. */
  readonly kvTokens: number;
  /** Bytes of K and V of one token, to check the free memory first. */
  readonly kvBytesPerToken: number;
  readonly kvType: KvTypeName;
  /** Sequence ids beyond `maxSeqs` that keep finished prompts for reuse. */
  readonly kept: number;
  readonly maxSeqs: number;
  readonly maxWaiting: number;
  readonly threads: number;
  readonly deterministic: boolean;
  readonly endTokenIds: readonly number[];
  /** Byte 0 set = abort what runs now. */
  readonly shared: SharedArrayBuffer;
}

/** Main isolate to thread. */
export type ToThread =
  | OpenMessage
  | { readonly op: "submit"; readonly request: EngineRequest; readonly host?: HostRun }
  | { readonly op: "cancel"; readonly stream: number }
  | { readonly op: "snapshot"; readonly id: number }
  /** A host tier is there; it is lost, answered with `pool-left`; slots to write; blocks that came or will not; that have left it. */
  | { readonly op: "pool"; readonly pool: MappedPool; readonly kind: HostBlockKind }
  | { readonly op: "pool-lost"; readonly generation: number }
  | { readonly op: "slots"; readonly granted: HostSlots }
  | { readonly op: "landed"; readonly generation: number; readonly landings: readonly Landing[] }
  | { readonly op: "gone"; readonly generation: number; readonly slots: Uint32Array }
  /** No prompt follows: what is kept for reuse goes to the host tier. */
  | { readonly op: "unload" }
  | { readonly op: "close" };

/** Live numbers, with every step. */
export interface ThreadGauges {
  /** Submissions seen since start. */
  readonly submits: number;
  readonly running: number;
  readonly waiting: number;
  readonly prefillTokens: number;
  readonly activeBlocks: number;
  readonly cachedBlocks: number;
  readonly prefillRate: number;
  readonly decodeRate: number;
}

/** Thread to main isolate. */
export type FromThread =
  | {
    readonly op: "opened";
    readonly facts: ModelFacts;
    readonly contextLength: number;
    readonly cells: number;
    readonly libraryVersion: string;
    /** Of a model with sliding windows: what a state looks like, unless its blocks cannot be cut. */
    readonly shape: StateShape | undefined;
  }
  | { readonly op: "refused"; readonly error: Failure }
  | {
    readonly op: "step";
    readonly step: number;
    readonly outputs: readonly StepOutput[];
    readonly kvEvents: readonly KvEvent[];
    readonly gauges: ThreadGauges;
    /** What became of blocks in the host tier, where anything did. */
    readonly host?: HostReport;
  }
  /** Nothing of this pool is touched any more. */
  | { readonly op: "pool-left"; readonly generation: number }
  | {
    readonly op: "snapshot";
    readonly id: number;
    readonly step: number;
    readonly kvEvents: readonly KvEvent[];
  }
  | { readonly op: "failed"; readonly message: string }
  | { readonly op: "closed" };

/**
 * Places in the shared buffer, as int32 indexes; byte 0 is the abort byte. `posted` counts the messages to the thread
 * after the one that opens it.
 */
export const sharedLayout = { abortByte: 0, inStep: 1, steps: 2, posted: 3, bytes: 64 } as const;

/** Context length of models that allow more, unless `--ctx` says otherwise. */
export const mostDefaultContext = 8192;
