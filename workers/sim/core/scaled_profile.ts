import { mapProfileTimes } from "@pixii/wire";
import type { WorkerProfile } from "@pixii/wire";

/** The profile of a worker that is `speed` times as fast; 0 < speed < Infinity. */
export function scaledProfile(profile: WorkerProfile, speed: number): WorkerProfile {
  if (speed === 1) return profile;
  const about = `${profile.about}${profile.about === "" ? "" : "; "}times divided by ${speed}`;
  return { ...mapProfileTimes(profile, (ms) => ms / speed), about };
}
