/** Whose blocks may be shared: hashes are salted with both. */
export interface KvSalt {
  readonly adapterDigest: string;
  readonly tenantSalt: string;
}

/** Nobody's in particular. */
export const noSalt: KvSalt = { adapterDigest: "", tenantSalt: "" };

/** True where both are of one owner. */
export function sameSalt(a: KvSalt, b: KvSalt): boolean {
  return a.adapterDigest === b.adapterDigest && a.tenantSalt === b.tenantSalt;
}
