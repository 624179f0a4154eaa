import { decode, encode } from "./codec.ts";
import { binaryKinds, checkHeader, writeHeader } from "./header.ts";
import { hexOfBytes, putHex } from "./ids.ts";
import type { InstanceId, RequestId, StreamKey } from "./ids.ts";
import { limits } from "./limits.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";
import type { RouteHints } from "./route.ts";
import type { HashList } from "./route_hash.ts";

/**
 * frontend -> router, request on `route.<modelHash>`. Carries hashes and lengths, never the prompt. Layout, little-endian:
 * `u8 version, u8 kind, u16 lists, u8[16] request, u16 attempt, u16 leg, u8[8] frontend, u32 isl, u32 maxTokens,
 * u32 remainingMs, u32 hintBytes`, then per list `u32 blockSize, u32 count, count x (u32 lo, u32 hi)`, then the hints.
 */
export interface RouteRequest extends StreamKey {
  readonly frontend: InstanceId;
  /** Prompt tokens. */
  readonly isl: number;
  /** Most output tokens. */
  readonly maxTokens: number;
  readonly remainingMs: number;
  /** One list per block size found among the model's workers; at most 8. */
  readonly hashes: readonly { readonly blockSize: number; readonly list: HashList }[];
  readonly hints?: RouteHints;
}

const headBytes = 48;
const mostLists = 8;

/** Bytes of a route request. Throws where it would not fit one message: callers cap blocks (`maxRouteBlocks`). */
export function encodeRouteRequest(request: RouteRequest): Uint8Array {
  const hints = hasAny(request.hints) ? encode("routeHints", request.hints) : undefined;
  let size = headBytes + (hints?.byteLength ?? 0);
  for (const entry of request.hashes) size += 8 + 8 * entry.list.lo.length;
  if (size > limits.messageBytes || request.hashes.length > mostLists) {
    throw new RangeError(
      `Cannot encode route request: ${size} bytes, at most ${limits.messageBytes}`,
    );
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  writeHeader(view, binaryKinds.routeRequest);
  view.setUint16(2, request.hashes.length, true);
  putHex(bytes, 4, request.requestId);
  view.setUint16(20, request.attempt, true);
  view.setUint16(22, request.leg, true);
  putHex(bytes, 24, request.frontend);
  view.setUint32(32, request.isl, true);
  view.setUint32(36, request.maxTokens, true);
  view.setUint32(40, Math.min(0xffffffff, Math.max(0, Math.floor(request.remainingMs))), true);
  view.setUint32(44, hints?.byteLength ?? 0, true);
  let at = headBytes;
  for (const { blockSize, list } of request.hashes) {
    view.setUint32(at, blockSize, true);
    view.setUint32(at + 4, list.lo.length, true);
    at += 8;
    for (let i = 0; i < list.lo.length; i++, at += 8) {
      view.setUint32(at, list.lo[i], true);
      view.setUint32(at + 4, list.hi[i], true);
    }
  }
  if (hints !== undefined) bytes.set(hints, at);
  return bytes;
}

/** Most requests hint nothing, and the way of every request pays for what is sent. */
function hasAny(hints: RouteHints | undefined): hints is RouteHints {
  return hints !== undefined && Object.values(hints).some((value) => value !== undefined);
}

/** The route request in `bytes`, or `decode_error`. */
export function decodeRouteRequest(bytes: Uint8Array): Result<RouteRequest> {
  const header = checkHeader(bytes, binaryKinds.routeRequest, headBytes);
  if (!header.ok) return header;
  const view = header.value;
  const lists = view.getUint16(2, true);
  const hintBytes = view.getUint32(44, true);
  if (lists > mostLists) {
    return fail("decode_error", `Cannot decode route request: ${lists} hash lists`);
  }
  const hashes: { blockSize: number; list: HashList }[] = [];
  let at = headBytes;
  for (let n = 0; n < lists; n++) {
    if (at + 8 > bytes.length) {
      return fail("decode_error", "Cannot decode route request: it is cut");
    }
    const blockSize = view.getUint32(at, true);
    const count = view.getUint32(at + 4, true);
    at += 8;
    if (blockSize === 0 || count > (bytes.length - at) / 8) {
      return fail(
        "decode_error",
        "Cannot decode route request: a hash list is longer than the message",
      );
    }
    const list = { hi: new Uint32Array(count), lo: new Uint32Array(count) };
    for (let i = 0; i < count; i++, at += 8) {
      list.lo[i] = view.getUint32(at, true);
      list.hi[i] = view.getUint32(at + 4, true);
    }
    hashes.push({ blockSize, list });
  }
  if (at + hintBytes !== bytes.length) {
    return fail(
      "decode_error",
      "Cannot decode route request: its length does not match its fields",
    );
  }
  const hints = hintBytes === 0 ? undefined : decode("routeHints", bytes.subarray(at));
  if (hints !== undefined && !hints.ok) return hints;
  return ok({
    requestId: hexOfBytes(bytes, 4, 20) as RequestId,
    attempt: view.getUint16(20, true),
    leg: view.getUint16(22, true),
    frontend: hexOfBytes(bytes, 24, 32) as InstanceId,
    isl: view.getUint32(32, true),
    maxTokens: view.getUint32(36, true),
    remainingMs: view.getUint32(40, true),
    hashes,
    hints: hints?.value,
  });
}

/** Most blocks per list that always fit one message beside full hints. */
export const maxRouteBlocks: number = 48 * 1024;
