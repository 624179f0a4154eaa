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

/** The tiers of a block manager that has none yet: all there, all off. */
export function tiersOff(): readonly TierRoom[] {
  return tiers.filter((tier) => tier !== "device")
    .map((tier) => ({ tier, capacityBytes: 0, usedBytes: 0 }));
}
