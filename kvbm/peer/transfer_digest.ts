import { createHmac, timingSafeEqual } from "node:crypto";

/** Who proves to the other that it knows the secret. */
export type Prover = "asker" | "giver";

/**
 * Proof of a secret for one connection: HMAC-SHA256 of who proves it and both nonces. Without a secret the empty one is
 * known to all.
 */
export function transferProof(
  secret: string,
  { prover, asker, giver }: {
    readonly prover: Prover;
    readonly asker: Uint8Array;
    readonly giver: Uint8Array;
  },
): Uint8Array {
  const hmac = createHmac("sha256", secret);
  return new Uint8Array(
    hmac.update(`pixii-blocks-1|${prover}|`).update(asker).update(giver).digest(),
  );
}

/** Compares in the same time wherever they differ. */
export function isSameProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
