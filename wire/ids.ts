declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** One running program: a u64 drawn at start, as 16 lower-case hex digits. Also the epoch of its events. */
export type InstanceId = Brand<string, "InstanceId">;
/** One client request: 128 bits drawn by the frontend, as 32 lower-case hex digits. */
export type RequestId = Brand<string, "RequestId">;
/** xxh64 of a model's served name, as 16 lower-case hex digits: what subjects and keys carry. */
export type ModelHash = Brand<string, "ModelHash">;

/** (instance, dpRank): what routing, ledger, load and index address. */
export interface WorkerRank {
  readonly instance: InstanceId;
  /** Data-parallel rank, from 0. */
  readonly dpRank: number;
}

/**
 * (request, attempt, leg): one stream of tokens. `attempt` counts re-routes from 0;
 * `leg` is `choice * 2 + phase` with phase 1 for a prefill leg and 0 otherwise.
 */
export interface StreamKey {
  readonly requestId: RequestId;
  readonly attempt: number;
  readonly leg: number;
}

/** The leg of choice `choice`'s decode stream. */
export function decodeLeg(choice: number): number {
  return choice * 2;
}

/** A stream key as one map key. */
export function streamKeyText(key: StreamKey): string {
  return `${key.requestId}.${key.attempt}.${key.leg}`;
}

/** The stream key that `streamKeyText` made a text of. */
export function streamKeyOf(text: string): StreamKey {
  const [requestId, attempt, leg] = text.split(".");
  return { requestId: requestId as RequestId, attempt: Number(attempt), leg: Number(leg) };
}

/** A worker rank as one map key. */
export function workerRankText(rank: WorkerRank): string {
  return `${rank.instance}.${rank.dpRank}`;
}

/** The worker rank that `workerRankText` made a text of. */
export function workerRankOf(text: string): WorkerRank {
  const [instance, dpRank] = text.split(".");
  return { instance: instance as InstanceId, dpRank: Number(dpRank) };
}

/** True for 16 lower-case hex digits. */
export function isInstanceId(text: string): text is InstanceId {
  return /^[0-9a-f]{16}$/.test(text);
}

/** True for 32 lower-case hex digits. */
export function isRequestId(text: string): text is RequestId {
  return /^[0-9a-f]{32}$/.test(text);
}

/** Hex digits of two u32 halves, high half first. */
export function hexOfU64(hi: number, lo: number): string {
  return (hi >>> 0).toString(16).padStart(8, "0") + (lo >>> 0).toString(16).padStart(8, "0");
}

/** Bytes of lower-case hex text; the text's length is even. */
export function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  putHex(bytes, 0, hex);
  return bytes;
}

/** Writes the bytes of lower-case hex text of even length at `at`. */
export function putHex(bytes: Uint8Array, at: number, hex: string): void {
  for (let i = 0; i < hex.length; i += 2) {
    bytes[at + i / 2] = digitOf(hex.charCodeAt(i)) * 16 + digitOf(hex.charCodeAt(i + 1));
  }
}

/** Value of a digit, `0` to `9` or `a` to `f`. */
function digitOf(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}

/** Lower-case hex text of bytes. */
export function hexOfBytes(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return bytes.subarray(start, end).toHex();
}
