import { z } from "zod";
import type { InstanceId, ModelHash, RequestId } from "./ids.ts";
import { errorCodes } from "./error.ts";
import type { ErrorCode } from "./error.ts";
import { limits } from "./limits.ts";

/** 16 hex digits. */
export const instanceId: z.ZodType<InstanceId> = z.string().regex(/^[0-9a-f]{16}$/) as never;
/** 16 hex digits. */
export const modelHash: z.ZodType<ModelHash> = z.string().regex(/^[0-9a-f]{16}$/) as never;
/** 32 hex digits. */
export const requestId: z.ZodType<RequestId> = z.string().regex(/^[0-9a-f]{32}$/) as never;
/** A code of the closed list. */
export const errorCode: z.ZodType<ErrorCode> = z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]);

/** 0 .. 2^32-1. */
export const u32 = z.number().int().min(0).max(0xffffffff);
/** 0 .. 65535. */
export const u16 = z.number().int().min(0).max(0xffff);
/** 0 .. 2^53-1. */
export const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Any finite number. */
export const finite = z.number();
/** A short text. */
export const label = z.string().max(1024);
/** A model's served name. */
export const modelName = z.string().min(1).max(limits.modelNameBytes);

/** Bytes; a multiple of `unit` bytes, at most `maxBytes`. */
export function bytes(unit = 1, maxBytes: number = limits.messageBytes): z.ZodType<Uint8Array> {
  return z.custom<Uint8Array>(
    (value) =>
      value instanceof Uint8Array && value.byteLength % unit === 0 && value.byteLength <= maxBytes,
    { message: `must be bytes, a multiple of ${unit}, at most ${maxBytes}` },
  );
}

/** (instance, dpRank). */
export const workerRank = z.object({ instance: instanceId, dpRank: u16 });
/** (request, attempt, leg). */
export const streamKey = z.object({ requestId, attempt: u16, leg: u16 });
/** An operating error as it travels. */
export const failure = z.object({
  code: errorCode,
  message: z.string().max(4096),
  param: label.optional(),
  retryAfterMs: count.optional(),
});
