import { decode } from "./codec.ts";
import type { BlockHolder, GenerateRequest, Sampling, StopRule } from "./generate.ts";
import { handoverParts } from "./handover.ts";
import type { Handover } from "./handover.ts";
import { binaryKinds, checkHeader, writeHeader } from "./header.ts";
import { hexOfBytes, putHex } from "./ids.ts";
import type { InstanceId, RequestId } from "./ids.ts";
import { limits } from "./limits.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";

/*
 * Layout, little-endian:
 *   0 u8 version, u8 kind, u8 flags (1: ignoreEos, 2: has a rank, 4: has a hand-over, 8: a holder), i8 logprobs
 *   4 u8[16] request, 20 u16 attempt, u16 leg, 24 u8[8] frontend
 *  32 u32 tag, u32 emitted, u32 remainingMs, u32 maxTokens, u32 minTokens, u32 seedHi, u32 seedLo, u32 topK
 *  64 u16 choice, u16 dpRank, i16 priority, u16 modelBytes, u16 saltBytes, u16 adapterBytes, u16 stopIds, u16 biases
 *  80 f64 temperature, topP, minP, presencePenalty, frequencyPenalty, repetitionPenalty
 * 128 u32 tokens x 4 bytes behind the rest, then: hand-over (u8 part: 1 give, 2 take; u8[8] kvbm, 0 = none), holder
 *     (u8[8] kvbm, u32 first, u32 end), model, salt, adapter (UTF-8), stopIds x u32, biases x (u32, f64), tokens
 */
const headBytes = 132;
const ignoreEosFlag = 1;
const rankFlag = 2;
const handoverFlag = 4;
const handoverBytes = 9;
const holderFlag = 8;
const holderBytes = 16;
const noKvbm = "0".repeat(16);
const mostStopIds = 64;
const mostBiases = 1024;
const mostPriority = 1000;

/** The real numbers of a request in the order of the layout, with their ranges. */
const reals = [
  ["temperature", 0, 2],
  ["topP", 0, 1],
  ["minP", 0, 1],
  ["presencePenalty", -2, 2],
  ["frequencyPenalty", -2, 2],
  ["repetitionPenalty", 0.01, 100],
] as const satisfies readonly (readonly [keyof Sampling, number, number])[];

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Bytes of a generate request: one pass, since every request makes one and every worker reads it. */
export function encodeGenerateRequest(request: GenerateRequest): Uint8Array {
  const { sampling, stop, tokens } = request;
  const texts = [request.model, request.tenantSalt, request.adapter].map((text) =>
    text === "" ? none : encoder.encode(text)
  );
  const { stopTokenIds } = stop;
  const { logitBias } = sampling;
  const holderAt = headBytes + (request.handover === undefined ? 0 : handoverBytes);
  const extraBytes = holderAt - headBytes + (request.holder === undefined ? 0 : holderBytes);
  const size = headBytes + extraBytes + texts[0].length + texts[1].length + texts[2].length +
    4 * stopTokenIds.length + 12 * logitBias.length + tokens.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  writeHead(view, bytes, request, texts);
  if (request.handover !== undefined) writeHandover(bytes, request.handover);
  if (request.holder !== undefined) writeHolder(view, bytes, { ...request.holder, at: holderAt });
  let at = headBytes + extraBytes;
  for (const text of texts) {
    bytes.set(text, at);
    at += text.length;
  }
  for (const id of stopTokenIds) {
    view.setUint32(at, id, true);
    at += 4;
  }
  for (const [id, bias] of logitBias) {
    view.setUint32(at, id, true);
    view.setFloat64(at + 4, bias, true);
    at += 12;
  }
  bytes.set(tokens, at);
  return bytes;
}

const none = new Uint8Array();

function writeHead(
  view: DataView,
  bytes: Uint8Array,
  request: GenerateRequest,
  texts: readonly Uint8Array[],
): void {
  const { sampling, stop, dpRank, handover } = request;
  writeHeader(view, binaryKinds.generateRequest);
  const flags = (stop.ignoreEos ? ignoreEosFlag : 0) | (dpRank === undefined ? 0 : rankFlag);
  const more = request.holder === undefined ? 0 : holderFlag;
  view.setUint8(2, flags | more | (handover === undefined ? 0 : handoverFlag));
  view.setInt8(3, sampling.logprobs);
  putHex(bytes, 4, request.requestId);
  view.setUint16(20, request.attempt, true);
  view.setUint16(22, request.leg, true);
  putHex(bytes, 24, request.frontend);
  view.setUint32(32, request.tag, true);
  view.setUint32(36, request.emitted, true);
  view.setUint32(40, Math.min(0xffffffff, request.remainingMs), true);
  view.setUint32(44, stop.maxTokens, true);
  view.setUint32(48, stop.minTokens, true);
  view.setUint32(52, sampling.seedHi, true);
  view.setUint32(56, sampling.seedLo, true);
  view.setUint32(60, sampling.topK, true);
  view.setUint16(64, request.choice, true);
  view.setUint16(66, dpRank ?? 0, true);
  view.setInt16(68, request.priority, true);
  texts.forEach((text, i) => view.setUint16(70 + 2 * i, text.length, true));
  view.setUint16(76, stop.stopTokenIds.length, true);
  view.setUint16(78, sampling.logitBias.length, true);
  reals.forEach(([name], i) => view.setFloat64(80 + 8 * i, sampling[name], true));
  view.setUint32(128, request.tokens.length / 4, true);
}

function writeHandover(bytes: Uint8Array, { part, kvbm }: Handover): void {
  bytes[headBytes] = 1 + handoverParts.indexOf(part);
  putHex(bytes, headBytes + 1, kvbm ?? noKvbm);
}

function readHandover(bytes: Uint8Array): Handover | undefined {
  const part = handoverParts[bytes[headBytes] - 1];
  if (part === undefined) return undefined;
  const kvbm = hexOfBytes(bytes, headBytes + 1, headBytes + handoverBytes);
  return kvbm === noKvbm ? { part } : { part, kvbm: kvbm as InstanceId };
}

function writeHolder(
  view: DataView,
  bytes: Uint8Array,
  { kvbm, first, end, at }: BlockHolder & { readonly at: number },
): void {
  putHex(bytes, at, kvbm);
  view.setUint32(at + 8, first, true);
  view.setUint32(at + 12, end, true);
}

function readHolder(view: DataView, bytes: Uint8Array, at: number): BlockHolder {
  const kvbm = hexOfBytes(bytes, at, at + 8) as InstanceId;
  return { kvbm, first: view.getUint32(at + 8, true), end: view.getUint32(at + 12, true) };
}

/** The generate request in `bytes`, in this layout or as MessagePack; `decode_error` with what is wrong. Never throws. */
export function decodeGenerateRequest(bytes: Uint8Array): Result<GenerateRequest> {
  if (bytes[1] !== binaryKinds.generateRequest) return decode("generateRequest", bytes);
  const header = checkHeader(
    bytes,
    binaryKinds.generateRequest,
    headBytes,
    2 * limits.messageBytes,
  );
  if (!header.ok) return header;
  const view = header.value;
  const sizes = [view.getUint16(70, true), view.getUint16(72, true), view.getUint16(74, true)];
  const stopIds = view.getUint16(76, true);
  const biases = view.getUint16(78, true);
  const tokenBytes = 4 * view.getUint32(128, true);
  const isSplit = (view.getUint8(2) & handoverFlag) !== 0;
  const hasHolder = (view.getUint8(2) & holderFlag) !== 0;
  const holderAt = headBytes + (isSplit ? handoverBytes : 0);
  const extraBytes = holderAt - headBytes + (hasHolder ? holderBytes : 0);
  const rest = extraBytes + sizes[0] + sizes[1] + sizes[2] + 4 * stopIds + 12 * biases + tokenBytes;
  if (headBytes + rest !== bytes.length) return wrong("its length does not match its fields");
  if (sizes[0] === 0 || sizes[0] > limits.modelNameBytes) return wrong("model: 1 to 256 bytes");
  if (sizes[1] > 1024 || sizes[2] > 1024) return wrong("tenantSalt, adapter: at most 1,024 bytes");
  if (stopIds > mostStopIds || biases > mostBiases) return wrong("too many stop tokens or biases");
  const handover = isSplit ? readHandover(bytes) : undefined;
  if (isSplit && handover === undefined) return wrong("handover.part: 1 or 2");
  const texts: string[] = [];
  let at = headBytes + extraBytes;
  for (const size of sizes) {
    const text = size === 0 ? "" : textAt(bytes, at, size);
    if (text === undefined) return wrong("a text is not UTF-8");
    texts.push(text);
    at += size;
  }
  const stopTokenIds = Array.from({ length: stopIds }, (_, i) => view.getUint32(at + 4 * i, true));
  at += 4 * stopIds;
  const sampling = readSampling(view, at, biases);
  if (!sampling.ok) return sampling;
  at += 12 * biases;
  const stop: StopRule = {
    ...{ maxTokens: view.getUint32(44, true), minTokens: view.getUint32(48, true), stopTokenIds },
    ignoreEos: (view.getUint8(2) & ignoreEosFlag) !== 0,
  };
  if (stop.maxTokens === 0) return wrong("stop.maxTokens: at least 1");
  const priority = view.getInt16(68, true);
  if (Math.abs(priority) > mostPriority) return wrong("priority: -1000 to 1000");
  return ok({
    requestId: hexOfBytes(bytes, 4, 20) as RequestId,
    attempt: view.getUint16(20, true),
    leg: view.getUint16(22, true),
    frontend: hexOfBytes(bytes, 24, 32) as InstanceId,
    tag: view.getUint32(32, true),
    emitted: view.getUint32(36, true),
    remainingMs: view.getUint32(40, true),
    choice: view.getUint16(64, true),
    ...((view.getUint8(2) & rankFlag) === 0 ? undefined : { dpRank: view.getUint16(66, true) }),
    ...{ priority, model: texts[0], tenantSalt: texts[1], adapter: texts[2] },
    ...{ sampling: sampling.value, stop, tokens: bytes.subarray(at) },
    ...(handover === undefined ? undefined : { handover }),
    ...(hasHolder ? { holder: readHolder(view, bytes, holderAt) } : undefined),
  });
}

function readSampling(view: DataView, biasAt: number, biases: number): Result<Sampling> {
  for (let i = 0; i < reals.length; i++) {
    const [name, least, most] = reals[i];
    const value = view.getFloat64(80 + 8 * i, true);
    if (!(value >= least && value <= most)) {
      return wrong(`sampling.${name}: ${least} to ${most}`);
    }
  }
  const logprobs = view.getInt8(3);
  if (logprobs < -1 || logprobs > 20) return wrong("sampling.logprobs: -1 to 20");
  const logitBias: [number, number][] = [];
  for (let i = 0, at = biasAt; i < biases; i++, at += 12) {
    const bias = view.getFloat64(at + 4, true);
    if (!(Math.abs(bias) <= 100)) return wrong("sampling.logitBias: -100 to 100");
    logitBias.push([view.getUint32(at, true), bias]);
  }
  return ok({
    seedHi: view.getUint32(52, true),
    seedLo: view.getUint32(56, true),
    topK: view.getUint32(60, true),
    temperature: view.getFloat64(80, true),
    topP: view.getFloat64(88, true),
    minP: view.getFloat64(96, true),
    presencePenalty: view.getFloat64(104, true),
    frequencyPenalty: view.getFloat64(112, true),
    repetitionPenalty: view.getFloat64(120, true),
    ...{ logitBias, logprobs },
  });
}

function textAt(bytes: Uint8Array, at: number, size: number): string | undefined {
  try {
    return decoder.decode(bytes.subarray(at, at + size));
  } catch {
    // Not UTF-8: said by the caller.
    return undefined;
  }
}

function wrong(what: string) {
  return fail("decode_error", `Cannot decode generateRequest: ${what}`);
}
