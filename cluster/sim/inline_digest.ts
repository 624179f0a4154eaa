import { createHash } from "node:crypto";

type Digest = typeof crypto.subtle.digest;

const names: Readonly<Record<string, string>> = { "SHA-256": "sha256" };

/**
 * Makes `crypto.subtle.digest` answer without leaving the event loop, until disposed: the machine's own works on other
 * threads, so when it answers is chance. The digests are the same.
 */
export function inlineDigest(): Disposable {
  const { subtle } = crypto;
  const inline: Digest = (algorithm, data) => {
    const name = names[String(typeof algorithm === "string" ? algorithm : algorithm.name)];
    if (name === undefined) return Promise.reject(new Error(`no inline digest ${algorithm}`));
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    const digest = Uint8Array.from(createHash(name).update(bytes).digest());
    return Promise.resolve(digest.buffer);
  };
  Object.defineProperty(subtle, "digest", { value: inline, configurable: true });
  // What lies on the prototype comes to light again.
  return { [Symbol.dispose]: () => void Reflect.deleteProperty(subtle, "digest") };
}
