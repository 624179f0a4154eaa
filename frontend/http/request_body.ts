import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";

/** Deepest nesting of a body. */
const mostNesting = 64;

/** Bounds of a body. */
export interface BodyRules {
  readonly mostBytes: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

function tooLarge(mostBytes: number) {
  return fail(
    "payload_too_large",
    `The body is over ${mostBytes} bytes; shorten it or raise --max-body`,
  );
}

/** Reads a body up to its bound, within its time. */
async function readBytes(request: Request, rules: BodyRules): Promise<Result<Uint8Array>> {
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > rules.mostBytes) return tooLarge(rules.mostBytes);
  if (request.body === null) return ok(new Uint8Array());
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = request.body.getReader();
  using deadline = rules.clock.deadline(rules.timeoutMs);
  const late = () => reader.cancel();
  deadline.signal.addEventListener("abort", late, { once: true });
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (deadline.signal.aborted) {
        return fail("request_timeout", `The body did not arrive within ${rules.timeoutMs} ms`);
      }
      if (done) break;
      size += value.length;
      if (size > rules.mostBytes) {
        await reader.cancel();
        return tooLarge(rules.mostBytes);
      }
      parts.push(value);
    }
  } catch (error) {
    return fail("cancelled", `The body could not be read: ${(error as Error).message}`);
  } finally {
    deadline.signal.removeEventListener("abort", late);
  }
  if (parts.length === 1) return ok(parts[0]);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return ok(bytes);
}

/** True where brackets outside strings nest deeper than the limit. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > mostNesting) return true;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return false;
}

/** The JSON object of a request, or what is wrong with it. */
export async function readJsonBody(
  request: Request,
  rules: BodyRules,
): Promise<Result<Record<string, unknown>>> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/(json|[\w.-]+\+json)\s*(;|$)/i.test(type)) {
    const seen = type === "" ? "none" : `'${type.slice(0, 80)}'`;
    return fail("unsupported_media_type", `The content type must be application/json, got ${seen}`);
  }
  const bytes = await readBytes(request, rules);
  if (!bytes.ok) return bytes;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.value);
  } catch (error) {
    return fail("invalid_json", `The body is not valid UTF-8: ${(error as Error).message}`);
  }
  if (isTooDeep(text)) {
    return fail("invalid_json", `The body is nested deeper than ${mostNesting} levels`);
  }
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return ok(value);
    return fail("invalid_json", "The body must be a JSON object");
  } catch (error) {
    const why = text === "" ? "it is empty" : (error as Error).message.slice(0, 160);
    return fail("invalid_json", `The body is not valid JSON: ${why}`);
  }
}
