import { encodeTransfer, nonceBytes, proofBytes, transferVersion } from "./block_transfer.ts";
import type { TransferMessage, TransferOp } from "./block_transfer.ts";
import { encodeTransferHello, encodeTransferWelcome } from "./block_transfer_hello.ts";
import type { InstanceId } from "./ids.ts";
import type { Crc32 } from "./stored_block.ts";
import { bytesOfU32s } from "./u32s.ts";

/** A message of every operation, by name: what golden files start from. */
export function sampleTransfers(crc32: Crc32): Map<TransferOp, Uint8Array> {
  const rows = (...words: number[]) => bytesOfU32s(Uint32Array.from(words));
  const kvbm = "0123456789abcdef" as InstanceId;
  const bodies: Readonly<Record<TransferOp, Uint8Array>> = {
    hello: encodeTransferHello({
      ...{ version: transferVersion, namespace: "default", kvbm, layout: { hi: 3, lo: 4 } },
      ...{ blockSize: 64, slotBytes: 12_288, nonce: new Uint8Array(nonceBytes).fill(1) },
    }),
    welcome: encodeTransferWelcome({
      ...{ kvbm, nonce: new Uint8Array(nonceBytes).fill(2) },
      proof: new Uint8Array(proofBytes).fill(3),
    }),
    refuse: new TextEncoder().encode("Cannot give blocks: no."),
    proof: new Uint8Array(proofBytes).fill(4),
    pull: rows(1, 2, 3, 4),
    await: rows(5, 6),
    there: rows(0),
    blocks: rows(1, 10_000, 0, 9_000),
    gone: rows(2),
    release: new Uint8Array(),
  };
  const messages = Object.entries(bodies).map(([op, body], i): TransferMessage => ({
    ...{ op: op as TransferOp, id: i + 1, body },
  }));
  return new Map(messages.map((message) => [message.op, encodeTransfer(message, crc32)]));
}
