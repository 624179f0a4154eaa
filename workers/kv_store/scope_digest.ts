import { createHash } from "node:crypto";

/** Whose blocks these are; blocks of another scope are never used, whatever their hash. */
export interface BlockScope {
  readonly adapterDigest: string;
  readonly tenantSalt: string;
}

/** sha256 of a scope, as stored blocks carry it. */
export function scopeDigest({ adapterDigest, tenantSalt }: BlockScope): Uint8Array {
  const text = JSON.stringify([adapterDigest, tenantSalt, ""]);
  return new Uint8Array(createHash("sha256").update(text).digest());
}
