/** Kinds of frames between a socket hub and its clients. The first frame of a client says which plane it wants. */
export const frameKinds = {
  /** Client: this connection is a bus. */
  helloBus: 1,
  /** Client: this connection is a registry. */
  helloRegistry: 2,
  /** Client: publish (name = subject). */
  publish: 10,
  /** Client: request; the payload begins with the longest wait in ms (u32). */
  request: 11,
  /** Client: subscribe under the frame's id; payload = queue group or nothing. */
  subscribe: 12,
  /** Client: like subscribe, for requests. */
  serve: 13,
  /** Client: ends subscription `id`. */
  unsubscribe: 14,
  /** Client: all before this was handed on when `result` comes. */
  flush: 15,
  /** Hub: a message for subscription `id`. */
  message: 16,
  /** Hub: a request for subscription `id`; the payload begins with the number of the call (u32). */
  call: 17,
  /** Client: the answer to call `id`. */
  answer: 18,
  /** Client: call `id` failed; payload = the failure. */
  answerFailed: 19,
  /** Client: register (name = key, payload = value). */
  register: 30,
  /** Client: replace a registered value. */
  update: 31,
  /** Client: take a registered key out. */
  unregister: 32,
  /** Client: list a prefix. */
  list: 33,
  /** Client: put a key; the payload begins with its time to live in ms (u32, 0 = for ever). */
  put: 34,
  /** Client: remove a key. */
  remove: 35,
  /** Client: watch a prefix under the frame's id. */
  watch: 36,
  /** Client: ends watch `id`. */
  unwatch: 37,
  /** Hub: the entries under watch `id`, as JSON. */
  snapshot: 38,
  /** Hub: one change under watch `id`, as JSON. */
  change: 39,
  /** Client: claim a key; the payload begins with its time to live in ms (u32). The result is a byte: 1 = had. */
  claim: 40,
  /** Hub: request `id` succeeded. */
  result: 50,
  /** Hub: request `id` failed; payload = the failure. */
  resultFailed: 51,
} as const;

/** No payload. */
export const nothing: Uint8Array = new Uint8Array(0);

/** A number (u32) and what follows it. */
export function withNumber(number: number, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + rest.length);
  new DataView(bytes.buffer).setUint32(0, number, true);
  bytes.set(rest, 4);
  return bytes;
}

/** Reads what `withNumber` made; undefined where it is too short. */
export function splitNumber(bytes: Uint8Array): [number, Uint8Array] | undefined {
  if (bytes.length < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [view.getUint32(0, true), bytes.subarray(4)];
}

/** Text as a payload. */
export function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A payload as text. */
export function bytesText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
