import type { InstanceId, RequestId } from "@pixii/wire";

/** Randomness and ids as an argument: the system's, or drawn from a seed. */
export interface Chance {
  /** Uniform in [0, 1). */
  float(): number;
  /** Uniform u32. */
  u32(): number;
  /** A new instance id. */
  instanceId(): InstanceId;
  /** A new request id. */
  requestId(): RequestId;
}
