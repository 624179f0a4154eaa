import { kvbmCard } from "./kvbm_card.ts";
import type { KvbmCard } from "./kvbm_card.ts";
import { desiredRecord } from "./desired.ts";
import type { DesiredRecord } from "./desired.ts";
import { leaderRecord, planOrder, scaleRecord } from "./plan_order.ts";
import type { LeaderRecord, PlanOrder, ScaleRecord } from "./plan_order.ts";
import { instanceRecord, modelCard } from "./presence.ts";
import type { InstanceRecord, ModelCard } from "./presence.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";

const records = {
  instance: instanceRecord,
  model: modelCard,
  kvbm: kvbmCard,
  desired: desiredRecord,
  planOrder,
  leader: leaderRecord,
  scale: scaleRecord,
} as const;
interface Records {
  instance: InstanceRecord;
  model: ModelCard;
  kvbm: KvbmCard;
  desired: DesiredRecord;
  planOrder: PlanOrder;
  leader: LeaderRecord;
  scale: ScaleRecord;
}

/** Text of a registry value: JSON with a version, readable with etcdctl. */
export function encodeRecord<Name extends keyof Records>(name: Name, value: Records[Name]): string {
  return JSON.stringify({ v: 1, ...records[name].parse(value) });
}

/** The registry value in `text`, or `decode_error`. */
export function decodeRecord<Name extends keyof Records>(
  name: Name,
  text: string,
): Result<Records[Name]> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail("decode_error", `Cannot decode ${name} record: ${(error as Error).message}`);
  }
  if ((value as { v?: unknown } | null)?.v !== 1) {
    return fail("decode_error", `Cannot decode ${name} record: this program speaks version 1`);
  }
  const parsed = records[name].safeParse(value);
  if (parsed.success) return ok(parsed.data as Records[Name]);
  const issue = parsed.error.issues[0];
  return fail(
    "decode_error",
    `Cannot decode ${name} record: ${issue.path.join(".")}: ${issue.message}`,
  );
}
