import { nonceBytes, proofBytes, transferVersion } from "./block_transfer.ts";
import { hexOfU64 } from "./ids.ts";
import type { InstanceId } from "./ids.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";
import type { Hash64 } from "./xxh64.ts";

/** asker -> giver, first on a connection: who asks, and for which blocks. */
export interface TransferHello {
  /** `transferVersion` of the asker. */
  readonly version: number;
  readonly namespace: string;
  /** Block manager that asks. */
  readonly kvbm: InstanceId;
  readonly layout: Readonly<Hash64>;
  /** Tokens of a block. */
  readonly blockSize: number;
  /** Bytes of the slots that the asker fills: no block may be longer. */
  readonly slotBytes: number;
  /** Drawn for this connection. */
  readonly nonce: Uint8Array;
}

/** giver -> asker: who gives. */
export interface TransferWelcome {
  readonly kvbm: InstanceId;
  readonly nonce: Uint8Array;
  /** That it knows the secret, if there is one. */
  readonly proof: Uint8Array;
}

const helloBytes = 2 + 8 + 8 + 4 + 4 + nonceBytes + 2;
const longestNamespace = 64;

/**
 * Body of a hello: `u16 version, u32[2] layout lo hi, u32[2] kvbm lo hi, u32 tokens of a block, u32 slot bytes, u8[16] nonce,
 * u16 bytes of the namespace`, then it in UTF-8. A later version keeps the first two bytes.
 */
export function encodeTransferHello(hello: TransferHello): Uint8Array {
  const name = new TextEncoder().encode(hello.namespace);
  const bytes = new Uint8Array(helloBytes + name.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, hello.version, true);
  view.setUint32(2, hello.layout.lo, true);
  view.setUint32(6, hello.layout.hi, true);
  putInstance(view, 10, hello.kvbm);
  view.setUint32(18, hello.blockSize, true);
  view.setUint32(22, hello.slotBytes, true);
  bytes.set(hello.nonce, 26);
  view.setUint16(26 + nonceBytes, name.byteLength, true);
  bytes.set(name, helloBytes);
  return bytes;
}

/** The hello in a body, or `decode_error`; another version than this program's is named. */
export function decodeTransferHello(body: Uint8Array): Result<TransferHello> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const version = body.byteLength < 2 ? 0 : view.getUint16(0, true);
  if (version !== transferVersion) {
    return fail(
      "decode_error",
      `Cannot give blocks: you speak version ${version} of the conversation about blocks, this program ${transferVersion}; run the same release on both hosts`,
    );
  }
  const length = body.byteLength < helloBytes ? -1 : view.getUint16(26 + nonceBytes, true);
  if (length > longestNamespace || body.byteLength !== helloBytes + length) {
    return fail("decode_error", "Cannot decode a greeting: it is cut or too long");
  }
  return ok({
    ...{ version, namespace: new TextDecoder().decode(body.subarray(helloBytes)) },
    kvbm: instanceAt(view, 10),
    layout: { lo: view.getUint32(2, true), hi: view.getUint32(6, true) },
    ...{ blockSize: view.getUint32(18, true), slotBytes: view.getUint32(22, true) },
    nonce: body.slice(26, 26 + nonceBytes),
  });
}

/** Body of a welcome: `u32[2] kvbm lo hi, u8[16] nonce, u8[32] proof`. */
export function encodeTransferWelcome({ kvbm, nonce, proof }: TransferWelcome): Uint8Array {
  const bytes = new Uint8Array(8 + nonceBytes + proofBytes);
  putInstance(new DataView(bytes.buffer), 0, kvbm);
  bytes.set(nonce, 8);
  bytes.set(proof, 8 + nonceBytes);
  return bytes;
}

/** The welcome in a body, or `decode_error`. */
export function decodeTransferWelcome(body: Uint8Array): Result<TransferWelcome> {
  if (body.byteLength !== 8 + nonceBytes + proofBytes) {
    return fail("decode_error", "Cannot decode a welcome: it is cut or too long");
  }
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  return ok({
    kvbm: instanceAt(view, 0),
    nonce: body.slice(8, 8 + nonceBytes),
    proof: body.slice(8 + nonceBytes),
  });
}

function putInstance(view: DataView, at: number, instance: InstanceId): void {
  view.setUint32(at, Number.parseInt(instance.slice(8), 16), true);
  view.setUint32(at + 4, Number.parseInt(instance.slice(0, 8), 16), true);
}

function instanceAt(view: DataView, at: number): InstanceId {
  return hexOfU64(view.getUint32(at + 4, true), view.getUint32(at, true)) as InstanceId;
}
