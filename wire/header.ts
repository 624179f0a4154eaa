import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";
import { limits } from "./limits.ts";

/** Version of every message; a higher one is refused by name. */
export const wireVersion = 1;

/** Kinds of the fixed binary layouts; MessagePack kinds follow from `codec.ts`. */
export const binaryKinds = {
  ...{ routeRequest: 1, stepFrame: 2, kvEvents: 3, storeRows: 4, generateRequest: 5 },
  ledgerBatch: 6,
  blockTransfer: 7,
} as const;

/** Writes the two header bytes every message begins with. */
export function writeHeader(view: DataView, kind: number): void {
  view.setUint8(0, wireVersion);
  view.setUint8(1, kind);
}

/** Checks size, version and kind; the layouts add their own rules. */
export function checkHeader(
  bytes: Uint8Array,
  kind: number,
  minBytes: number,
  maxBytes: number = limits.messageBytes,
): Result<DataView> {
  if (bytes.byteLength > maxBytes) {
    return fail(
      "decode_error",
      `Cannot decode message: ${bytes.byteLength} bytes, at most ${maxBytes}`,
    );
  }
  if (bytes.byteLength < Math.max(2, minBytes)) {
    return fail(
      "decode_error",
      `Cannot decode message: ${bytes.byteLength} bytes, at least ${minBytes}`,
    );
  }
  if (bytes[0] !== wireVersion) {
    return fail(
      "decode_error",
      `Cannot decode message: version ${bytes[0]}, this program speaks ${wireVersion}`,
    );
  }
  if (bytes[1] !== kind) {
    return fail("decode_error", `Cannot decode message: kind ${bytes[1]}, expected ${kind}`);
  }
  return ok(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
