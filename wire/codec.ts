import { Packr, Unpackr } from "msgpackr";
import type { z } from "zod";
import { auditAnswer, control, part, snapshotHead } from "./control.ts";
import { demandReport } from "./demand.ts";
import { entryExtra, generateRequest, refusal } from "./generate.ts";
import { ledgerBatch } from "./ledger.ts";
import { kvHeartbeat } from "./kv_heartbeat.ts";
import { loadReport } from "./load.ts";
import { decisionRecord, routeHints, routeReply } from "./route.ts";
import { routeNotice } from "./route_notice.ts";
import { storeHello, storeWelcome } from "./store_hello.ts";
import { sessionBatch } from "./session_batch.ts";
import { roleFlip } from "./role.ts";
import { readLoadReport } from "./load_bytes.ts";
import { checkHeader, wireVersion } from "./header.ts";
import { checkMessagePack } from "./message_pack.ts";
import { limits } from "./limits.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";

/** Every MessagePack message: its kind byte and its fields. A kind's number never changes its meaning. */
const kinds = {
  generateRequest: { kind: 16, fields: generateRequest },
  refusal: { kind: 17, fields: refusal },
  entryExtra: { kind: 18, fields: entryExtra },
  control: { kind: 19, fields: control },
  part: { kind: 20, fields: part },
  snapshotHead: { kind: 21, fields: snapshotHead },
  routeReply: { kind: 22, fields: routeReply },
  routeHints: { kind: 23, fields: routeHints },
  ledgerBatch: { kind: 24, fields: ledgerBatch },
  loadReport: { kind: 25, fields: loadReport },
  storeHello: { kind: 26, fields: storeHello },
  storeWelcome: { kind: 27, fields: storeWelcome },
  decisionRecord: { kind: 28, fields: decisionRecord },
  routeNotice: { kind: 29, fields: routeNotice },
  auditAnswer: { kind: 30, fields: auditAnswer },
  demandReport: { kind: 31, fields: demandReport },
  sessionBatch: { kind: 32, fields: sessionBatch },
  roleFlip: { kind: 33, fields: roleFlip },
  kvHeartbeat: { kind: 34, fields: kvHeartbeat },
} as const;

/** Names of the MessagePack messages. */
export type MessageName = keyof typeof kinds;
/** The value of a MessagePack message. */
export type Message<Name extends MessageName> = z.infer<typeof kinds[Name]["fields"]>;

/** All MessagePack message names. */
export const messageNames: readonly MessageName[] = Object.keys(kinds) as MessageName[];

const packr = new Packr(
  {
    useRecords: false,
    variableMapSize: true,
    skipValues: [undefined],
  } as ConstructorParameters<typeof Packr>[0],
);
const unpackr = new Unpackr(
  {
    useRecords: false,
    mapsAsObjects: true,
    int64AsType: "number",
  } as ConstructorParameters<typeof Unpackr>[0],
);

/**
 * Bytes of a message: version, kind, MessagePack. Its types are the sender's check; what still breaks a field's rule is
 * refused by every reader. (A check here as well was half the cost of a message.)
 */
export function encode<Name extends MessageName>(name: Name, value: Message<Name>): Uint8Array {
  const body = packr.pack(value);
  const bytes = new Uint8Array(body.byteLength + 2);
  bytes[0] = wireVersion;
  bytes[1] = kinds[name].kind;
  bytes.set(body, 2);
  return bytes;
}

/** The message in `bytes`, or `decode_error` with the field that is wrong. Never throws. */
export function decode<Name extends MessageName>(
  name: Name,
  bytes: Uint8Array,
): Result<Message<Name>> {
  const header = checkHeader(bytes, kinds[name].kind, 3, limits.messageBytes * 2);
  if (!header.ok) return header;
  if (name === "loadReport") {
    const plain = readLoadReport(bytes, 2);
    if (plain !== undefined) return ok(plain as Message<Name>);
  }
  const body = bytes.subarray(2);
  const problem = checkMessagePack(body, limits.nestingDepth);
  if (problem !== undefined) return fail("decode_error", `Cannot decode ${name}: ${problem}`);
  let value: unknown;
  try {
    value = unpackr.unpack(body);
  } catch (error) {
    return fail("decode_error", `Cannot decode ${name}: ${(error as Error).message}`);
  }
  const parsed = kinds[name].fields.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return fail("decode_error", `Cannot decode ${name}: ${issue.path.join(".")}: ${issue.message}`);
  }
  return ok(parsed.data as Message<Name>);
}

/** Which MessagePack message `bytes` claims to be, by its kind byte. */
export function messageNameOf(bytes: Uint8Array): MessageName | undefined {
  return messageNames.find((name) => kinds[name].kind === bytes[1]);
}
