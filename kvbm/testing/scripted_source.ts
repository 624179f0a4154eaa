import { crc32 } from "node:zlib";
import { writeStoredBlock } from "@pixii/wire";
import type { BlockSource, FetchOrder, SlotToFill } from "../core/block_source.ts";
import type { PoolLayout } from "../core/pool_client.ts";

/** Writes a whole block into a slot: one token per place, a payload of one byte again and again. */
export function writeBlock(
  view: Uint8Array,
  block: {
    readonly hi: number;
    readonly lo: number;
    readonly layout: { readonly hi: number; readonly lo: number };
    readonly parentLo?: number;
    readonly index?: number;
    readonly fill?: number;
    readonly payloadBytes?: number;
    readonly handover?: { readonly token: number; readonly index: number } | undefined;
    /** It is a prompt's end. */
    readonly end?: true;
  },
): void {
  const { hi, lo, layout, parentLo, index = 0, fill = 7, payloadBytes = 1000, handover, end } =
    block;
  const tokens = Uint32Array.from({ length: 64 }, (_, i) => i);
  const payload = view.subarray(384, 384 + payloadBytes).fill(fill);
  writeStoredBlock(view, {
    key: { route: { hi, lo }, layout: { hi: layout.hi, lo: layout.lo } },
    parent: parentLo === undefined ? undefined : { hi: 0, lo: parentLo },
    ...{ index, tokens, scope: new Uint8Array(32), decoded: false },
    ...{ payloadBytes, payloadCrc: crc32(payload), ...(handover && { handover }), end },
  }, crc32);
}

/** A source that has what it is told and brings it when it is told to. */
export class ScriptedSource implements BlockSource {
  readonly tier = "disk";
  /** Route lo of the blocks it says it has. */
  readonly has = new Set<number>();
  /** Orders that are not finished, one entry per block. */
  readonly orders: {
    block: SlotToFill;
    layout: PoolLayout;
    end: (outcome: "landed" | "lost") => void;
  }[] = [];

  holds(_layout: PoolLayout, routes: Uint32Array): Uint8Array {
    return Uint8Array.from({ length: routes.length / 2 }, (_, i) => +this.has.has(routes[2 * i]));
  }

  fetch({ layout, blocks, done }: FetchOrder): void {
    blocks.forEach((block, at) => {
      this.orders.push({ block, layout, end: (outcome) => done(at, outcome) });
    });
  }

  /** Brings the block that was ordered first. */
  land(): void {
    const { block, layout, end } = this.orders.shift()!;
    writeBlock(block.view, { ...block, layout });
    end("landed");
  }
}
