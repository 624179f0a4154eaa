import assert from "node:assert/strict";
import { errorCodes, errors, isRetryable } from "./error.ts";
import {
  bytesOfHex,
  hexOfBytes,
  isInstanceId,
  isRequestId,
  streamKeyOf,
  streamKeyText,
} from "./ids.ts";
import type { InstanceId, ModelHash } from "./ids.ts";
import { limits } from "./limits.ts";
import { encodeRouteRequest, maxRouteBlocks } from "./route_request.ts";
import { sampleMessages } from "./sample_messages_testing.ts";
import { isNamespace, keys, subjects } from "./subjects.ts";
import { decodeStepFrame, StepFrameWriter } from "./step_frame.ts";

Deno.test("limits keep their relations", () => {
  assert.ok(limits.partBytes < limits.messageBytes);
  assert.ok(limits.renewEveryMs * 3 < limits.renewLostMs);
  assert.ok(limits.loadEveryMs * 3 <= limits.suspectMs);
  assert.ok(limits.suspectMs < limits.deadMs);
  assert.ok(limits.deadMs < limits.reconnectWaitMs && limits.reconnectWaitMs < limits.resumeKeepMs);
  const list = { hi: new Uint32Array(maxRouteBlocks), lo: new Uint32Array(maxRouteBlocks) };
  const { requestId, attempt, leg } = sampleMessages.generateRequest;
  const bytes = encodeRouteRequest({
    requestId,
    attempt,
    leg,
    frontend: "0123456789abcdef" as InstanceId,
    isl: 1,
    maxTokens: 1,
    remainingMs: 1,
    hashes: [{ blockSize: 64, list }],
    hints: sampleMessages.routeHints,
  });
  assert.ok(bytes.byteLength <= limits.messageBytes);
});

Deno.test("errors: every code has a 4xx or 5xx status and a meaning; bad requests are never retried", () => {
  for (const code of errorCodes) {
    const { status, meaning } = errors[code];
    assert.ok(status >= 400 && status < 600 && meaning.length > 0, code);
    if (status < 429 && status !== 408) assert.equal(isRetryable(code), false, code);
  }
});

Deno.test("subjects() and keys() carry the namespace and no unsafe character", () => {
  const id = "0123456789abcdef" as InstanceId;
  const model = "fedcba9876543210" as ModelHash;
  const names = subjects("team-1");
  assert.equal(names.route(model), "pixii.v1.team-1.route.fedcba9876543210");
  assert.equal(names.generate(id), "pixii.v1.team-1.gen.0123456789abcdef");
  assert.equal(names.control(id), "pixii.v1.team-1.ctl.0123456789abcdef");
  assert.equal(names.allKvEvents, "pixii.v1.team-1.kv.*");
  assert.equal(names.kvBeat(id), "pixii.v1.team-1.beat.0123456789abcdef");
  assert.equal(names.allKvBeats, "pixii.v1.team-1.beat.*");
  assert.equal(names.load(id), "pixii.v1.team-1.load.0123456789abcdef");
  assert.equal(
    keys("team-1").instance("router", id),
    "/pixii/v1/team-1/instances/router/0123456789abcdef",
  );
  assert.equal(
    keys("team-1").model(model, id),
    "/pixii/v1/team-1/models/fedcba9876543210/0123456789abcdef",
  );
  for (const bad of ["", "a.b", "a/b", "a*", "a b", "x".repeat(65)]) {
    assert.equal(isNamespace(bad), false);
  }
  assert.equal(isNamespace("default"), true);
});

Deno.test("ids: hex there and back; only their own shape is accepted", () => {
  const hex = "00ff10a5deadbeef";
  assert.equal(hexOfBytes(bytesOfHex(hex)), hex);
  assert.ok(isInstanceId(hex) && !isInstanceId(hex.toUpperCase()) && !isInstanceId(hex + "0"));
  assert.ok(isRequestId(hex + hex) && !isRequestId(hex));
});

Deno.test("streamKeyOf() reads what streamKeyText() wrote", () => {
  const { requestId } = sampleMessages.generateRequest;
  const key = { requestId, attempt: 65_535, leg: 3 };
  assert.deepEqual(streamKeyOf(streamKeyText(key)), key);
});

Deno.test("StepFrameWriter.add() says when the message is full and the rest fits the next", () => {
  const writer = new StepFrameWriter();
  const id = "0123456789abcdef" as InstanceId;
  const tokens = new Array(60_000).fill(1);
  writer.begin(id, 1);
  assert.equal(writer.add({ tag: 1, firstIndex: 0, tokens, extra: undefined }), true);
  assert.equal(writer.add({ tag: 2, firstIndex: 0, tokens, extra: undefined }), true);
  assert.equal(writer.add({ tag: 3, firstIndex: 0, tokens, extra: undefined }), false);
  const frame = decodeStepFrame(writer.finish());
  assert.ok(frame.ok && frame.value.entries.length === 2 && frame.value.step === 1);
  writer.begin(id, 1);
  assert.equal(writer.add({ tag: 3, firstIndex: 0, tokens, extra: undefined }), true);
});
