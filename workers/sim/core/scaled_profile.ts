import type { WorkerProfile } from "@pixii/wire";

/** The profile of a worker that is `speed` times as fast; 0 < speed < Infinity. */
export function scaledProfile(profile: WorkerProfile, speed: number): WorkerProfile {
  if (speed === 1) return profile;
  const scaled = (ms: number) => ms / speed;
  const rows = (ms: readonly (readonly number[])[]) => ms.map((row) => row.map(scaled));
  return {
    ...profile,
    about: `${profile.about}${profile.about === "" ? "" : "; "}times divided by ${speed}`,
    prefill: { ...profile.prefill, ms: rows(profile.prefill.ms) },
    decode: { ...profile.decode, ms: rows(profile.decode.ms) },
    onboardBlockMs: Object.fromEntries(
      Object.entries(profile.onboardBlockMs).map(([tier, ms]) => [tier, scaled(ms)]),
    ),
  };
}
