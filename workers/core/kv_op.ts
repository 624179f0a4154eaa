import type { LeavingBlock } from "./leaving_block.ts";

/** What the engine must do to its cache, in order, before its next decode. */
export type KvOp =
  /** Share positions [0, end) of `from` with `to`; moves no data. */
  | { readonly op: "copy"; readonly from: number; readonly to: number; readonly end: number }
  /** Forget positions [start, ∞) of a slot. */
  | { readonly op: "remove"; readonly slot: number; readonly start: number }
  /** Offer a block to the host tier: the next operations take it away. Only with a host tier. */
  | { readonly op: "offload"; readonly slot: number; readonly block: LeavingBlock };
