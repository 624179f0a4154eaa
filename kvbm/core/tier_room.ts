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

/** All tiers of a block manager; those that are off have no room. */
export function tiersWith(host: Omit<TierRoom, "tier"> | undefined): readonly TierRoom[] {
  const off = { capacityBytes: 0, usedBytes: 0 };
  return tiers.filter((tier) => tier !== "device")
    .map((tier) => ({ tier, ...(tier === "host" ? host ?? off : off) }));
}
