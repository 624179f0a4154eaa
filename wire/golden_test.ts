import assert from "node:assert/strict";
import { decodeTransfer } from "./block_transfer.ts";
import { decode, messageNameOf, messageNames } from "./codec.ts";
import { decodeGenerateRequest } from "./generate_request.ts";
import { decodeKvEvents } from "./kv_events.ts";
import { decodeLedgerBatch } from "./ledger_batch.ts";
import { decodeRecord } from "./record.ts";
import type { Result } from "./result.ts";
import { decodeRouteRequest } from "./route_request.ts";
import { plainCrc32 } from "./plain_crc32_testing.ts";
import { sampleBytes } from "./samples.ts";
import { decodeStepFrame } from "./step_frame.ts";
import { decodeStoreRows } from "./store_rows.ts";
import { readStoredBlock } from "./stored_block.ts";

const folder = new URL("./golden/", import.meta.url);

function decodeFile(name: string, bytes: Uint8Array): Result<unknown> {
  const kind = name.split(".")[0];
  const text = () => new TextDecoder().decode(bytes);
  if (kind === "routeRequest") return decodeRouteRequest(bytes);
  if (kind === "generateRequest") return decodeGenerateRequest(bytes);
  if (kind === "ledgerBatch") return decodeLedgerBatch(bytes);
  if (kind === "stepFrame") return decodeStepFrame(bytes);
  if (kind === "kvEvents") return decodeKvEvents(bytes);
  if (kind === "storeRows") return decodeStoreRows(bytes);
  if (kind === "blockTransfer") return decodeTransfer(bytes, plainCrc32);
  if (kind === "storedBlock") return readStoredBlock(bytes, plainCrc32);
  if (kind === "instance" || kind === "model" || kind === "kvbm") return decodeRecord(kind, text());
  if (kind === "desired" || kind === "planOrder" || kind === "leader" || kind === "scale") {
    return decodeRecord(kind, text());
  }
  const message = messageNames.find((one) => one === kind);
  assert.ok(message !== undefined, `no decoder for golden file ${name}`);
  assert.equal(messageNameOf(bytes), message);
  return decode(message, bytes);
}

Deno.test("golden files of every version decode, for ever", async () => {
  let files = 0;
  for await (const entry of Deno.readDir(folder)) {
    if (!/\.v\d+\.(bin|json)$/.test(entry.name)) continue;
    const decoded = decodeFile(entry.name, await Deno.readFile(new URL(entry.name, folder)));
    assert.ok(decoded.ok, `${entry.name}: ${decoded.ok ? "" : decoded.error.message}`);
    files += 1;
  }
  assert.ok(files >= sampleBytes().size, `only ${files} golden files`);
});

Deno.test("today's messages encode to their golden bytes", async () => {
  for (const [name, bytes] of sampleBytes()) {
    const golden = await Deno.readFile(new URL(name, folder));
    assert.deepEqual(
      bytes,
      new Uint8Array(golden),
      `${name}: a changed layout needs a new version`,
    );
  }
});
