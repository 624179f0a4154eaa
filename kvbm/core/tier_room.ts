import { tiers } from "@pixii/wire";
import type { Tier } from "@pixii/wire";

/** The tiers a block manager owns: all but the engine's own. */
export type OwnedTier = Exclude<Tier, "device">;

/** How much of a tier is taken. */
export interface TierRoom {
  readonly tier: OwnedTier;
  /** 0 = the tier is off. */
  readonly capacityBytes: number;
  readonly usedBytes: number;
}

/** What a tier has done since the start, and what it does now. */
export interface TierFlow {
  readonly tier: OwnedTier;
  /** Blocks asked for that were there and whole. */
  readonly hits: number;
  readonly evictions: number;
  /** Where blocks are moved by reads and writes. */
  readonly moves?: {
    readonly readBytes: number;
    readonly writtenBytes: number;
    /** While something moved, lately. */
    readonly readBytesPerSecond: number;
    readonly writtenBytesPerSecond: number;
    /** Under way or waiting. */
    readonly reads: number;
    readonly writes: number;
    readonly damaged: number;
    readonly errors: number;
  };
}

/** All tiers of a block manager; those that are off have no room. */
export function tiersWith(
  rooms: Partial<Record<OwnedTier, Omit<TierRoom, "tier">>>,
): readonly TierRoom[] {
  const off = { capacityBytes: 0, usedBytes: 0 };
  return tiers.filter((tier) => tier !== "device")
    .map((tier) => ({ tier, ...rooms[tier] ?? off }));
}
