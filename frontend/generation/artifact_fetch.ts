import { decode, encode, fail, limits, messageNameOf, ok } from "@pixii/wire";
import type { InstanceId, ModelCard, Result, Subjects } from "@pixii/wire";
import type { Bus } from "@pixii/runtime";
import { sha256Hex } from "./digest.ts";

/** Longest wait for one part. */
const partMs = 5_000;

/** Fetches an artifact from one worker in parts and checks size and digest; `artifact_invalid` where they are wrong. */
export async function fetchArtifact(
  card: Pick<ModelCard, "instance" | "artifactDigest" | "artifactBytes">,
  bus: Bus,
  options: { readonly subjects: Subjects; readonly signal: AbortSignal },
): Promise<Result<Uint8Array>> {
  const { artifactBytes, artifactDigest, instance } = card;
  if (artifactBytes > limits.assembledBytes) {
    return invalid(
      instance,
      `must be at most ${limits.assembledBytes} bytes, got ${artifactBytes}`,
    );
  }
  const whole = new Uint8Array(artifactBytes);
  const subject = options.subjects.control(instance);
  let offset = 0;
  while (offset < whole.length) {
    const ask = encode("control", { op: "artifact", digest: artifactDigest, offset });
    const reply = await bus.request(subject, ask, { timeoutMs: partMs, signal: options.signal });
    if (!reply.ok) return reply;
    const part = readPart(reply.value, instance);
    if (!part.ok) return part;
    const { data, totalBytes } = part.value;
    if (totalBytes !== whole.length || part.value.offset !== offset || data.length === 0) {
      return invalid(
        instance,
        `part at ${offset} of ${whole.length} bytes expected, got ${data.length} bytes ` +
          `at ${part.value.offset} of ${totalBytes}`,
      );
    }
    if (offset + data.length > whole.length) return invalid(instance, "a part is too long");
    whole.set(data, offset);
    offset += data.length;
  }
  const digest = await sha256Hex(whole);
  if (digest !== artifactDigest) {
    return invalid(instance, `its sha256 must be ${artifactDigest}, got ${digest}`);
  }
  return ok(whole);
}

function readPart(payload: Uint8Array, worker: InstanceId) {
  if (messageNameOf(payload) !== "refusal") return decode("part", payload);
  const refusal = decode("refusal", payload);
  return refusal.ok
    ? { ok: false as const, error: refusal.value.error }
    : invalid(worker, "no part");
}

function invalid(worker: InstanceId, rule: string) {
  return fail("artifact_invalid", `Cannot use the artifact of worker ${worker}: ${rule}`);
}
