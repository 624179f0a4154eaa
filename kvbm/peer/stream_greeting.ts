import {
  decodeTransferHello,
  decodeTransferWelcome,
  encodeTransferHello,
  encodeTransferWelcome,
  fail,
  nonceBytes,
  ok,
  transferVersion,
} from "@pixii/wire";
import type { InstanceId, Result, TransferHello } from "@pixii/wire";
import type { Chance } from "@pixii/runtime";
import type { BlockGiver, BlockKind } from "./block_transport.ts";
import type { StreamTransportParts } from "./stream_transport.ts";
import type { TransferChannel } from "./transfer_channel.ts";
import { isSameProof, transferProof } from "./transfer_digest.ts";

const otherSecret = "the secrets differ: give both block managers the same --kv-peer-secret";

/** The asker's side: who is at the other end, and what that took. */
export async function greet(
  channel: TransferChannel,
  kind: BlockKind,
  parts: StreamTransportParts,
): Promise<Result<{ readonly kvbm: InstanceId; readonly roundTripMs: number }>> {
  const { clock, chance, limits, namespace, kvbm, secret } = parts;
  using _ = clock.timer(limits.greetMs, () => channel.close());
  const nonce = drawNonce(chance);
  const { hi, lo, blockSize, slotBytes } = kind;
  const body = encodeTransferHello({
    ...{
      version: transferVersion,
      namespace,
      kvbm,
      layout: { hi, lo },
      blockSize,
      slotBytes,
      nonce,
    },
  });
  const askedMs = clock.nowMs();
  await channel.send("hello", 0, body);
  await channel.flush();
  const answer = await channel.receive();
  const roundTripMs = clock.nowMs() - askedMs;
  if (answer?.op === "refuse") {
    return fail("invalid_request", new TextDecoder().decode(answer.body));
  }
  const welcome = answer?.op === "welcome" ? decodeTransferWelcome(answer.body) : undefined;
  if (welcome?.ok !== true) {
    const why = channel.problem ?? "it ended the connection or does not answer as one";
    return fail("no_responders", `Cannot get blocks from ${channel.peer}: ${why}`);
  }
  const nonces = { asker: nonce, giver: welcome.value.nonce };
  const expected = transferProof(secret, { prover: "giver", ...nonces });
  if (!isSameProof(expected, welcome.value.proof)) {
    return fail("unauthorized", `Cannot get blocks from ${channel.peer}: ${otherSecret}`);
  }
  await channel.send("proof", 0, transferProof(secret, { prover: "asker", ...nonces }));
  if (!await channel.flush()) {
    return fail("no_responders", `Cannot get blocks from ${channel.peer}: it went away`);
  }
  return ok({ kvbm: welcome.value.kvbm, roundTripMs });
}

/** The giver's side: who asks, or why it is not let in. */
export async function admit(
  channel: TransferChannel,
  giver: BlockGiver,
  parts: StreamTransportParts,
): Promise<Result<TransferHello>> {
  const { clock, chance, limits, namespace, kvbm, secret } = parts;
  using _ = clock.timer(limits.greetMs, () => channel.close());
  const first = await channel.receive();
  if (first?.op !== "hello") {
    return fail("decode_error", channel.problem ?? "Cannot give blocks: no greeting came");
  }
  const hello = decodeTransferHello(first.body);
  if (!hello.ok) return hello;
  const { layout, blockSize, slotBytes, nonce: asker } = hello.value;
  if (hello.value.namespace !== namespace) {
    return fail(
      "invalid_request",
      `Cannot give blocks: you are of namespace ${hello.value.namespace}, this program of ${namespace}; give both the same --namespace`,
    );
  }
  const reason = giver.refusal({ ...layout, blockSize, slotBytes });
  if (reason !== undefined) return fail("invalid_request", reason);
  const nonces = { asker, giver: drawNonce(chance) };
  const proof = transferProof(secret, { prover: "giver", ...nonces });
  await channel.send("welcome", 0, encodeTransferWelcome({ kvbm, nonce: nonces.giver, proof }));
  await channel.flush();
  const second = await channel.receive();
  if (second === undefined) return fail("no_responders", "the asker went away");
  const expected = transferProof(secret, { prover: "asker", ...nonces });
  const isKnown = second.op === "proof" && isSameProof(expected, second.body);
  return isKnown ? hello : fail("unauthorized", `Cannot give blocks: ${otherSecret}`);
}

function drawNonce(chance: Chance): Uint8Array {
  const nonce = new Uint8Array(nonceBytes);
  const view = new DataView(nonce.buffer);
  for (let at = 0; at < nonceBytes; at += 4) view.setUint32(at, chance.u32(), true);
  return nonce;
}
