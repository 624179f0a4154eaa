import { createHash } from "node:crypto";

/**
 * sha256 of bytes that come piece by piece. Synchronous on purpose: a piece is at most one message, and under a virtual
 * clock nothing may depend on when another thread is done.
 */
export class Sha256 {
  readonly #hash = createHash("sha256");

  /** Takes the next bytes. */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** The digest of all bytes taken, as lower-case hex; ends the hash. */
  hex(): string {
    return this.#hash.digest("hex");
  }
}
