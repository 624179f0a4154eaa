import assert from "node:assert/strict";
import { renderHelp, schemaJson, schemaTable } from "./config_help.ts";
import { option } from "./option.ts";
import { commonOptions } from "./service_options.ts";

const schema = {
  ...commonOptions,
  "kv.temperature": option.number({
    fallback: 0.5,
    min: 0,
    max: 10,
    help: "Temperature of the pick.",
  }),
  "kv.events": option.flag({ fallback: true, help: "Use events." }),
  "kv.host": option.bytes({ fallback: 2 ** 29, help: "Host tier." }),
  model: option.list({ fallback: ["tiny"], help: "Models." }),
  "api-key": option.text({ fallback: "hunter2", secret: true, help: "Key." }),
} as const;

Deno.test("renderHelp() lists every option once, with defaults in their units and no secret", () => {
  const text = renderHelp(schema, "deno task router", "picks workers");
  assert.match(text, /^deno task router: picks workers\n/);
  assert.match(text, /--kv-temperature X\s+Temperature of the pick\. \[default 0\.5\]/);
  assert.match(text, /--kv-events, --no-kv-events\s+Use events\. \[default true\]/);
  assert.match(text, /\[default 512MiB\]/);
  assert.match(text, /\[repeatable; default tiny\]/);
  assert.match(text, /\[default 30s\]/);
  assert.ok(!text.includes("hunter2"));
  assert.ok(text.split("\n").every((line) => line.length <= 100));
});

Deno.test("schemaJson() nests options by path and refuses others", () => {
  const json = JSON.parse(JSON.stringify(schemaJson(schema)));
  assert.equal(json.properties.kv.properties.temperature.maximum, 10);
  assert.equal(json.properties.kv.additionalProperties, false);
  assert.equal(json.properties.drain.properties.timeout.default, "30s");
  assert.equal(json.properties.model.items.type, "string");
  assert.ok(!JSON.stringify(json).includes("hunter2"));
});

Deno.test("schemaTable() has a row per option", () => {
  const rows = schemaTable(schema).split("\n");
  assert.equal(rows.length, 2 + Object.keys(schema).length);
  assert.ok(rows.includes("| `--kv-host SIZE` | `PIXII_KV_HOST` | `512MiB` | Host tier. |"));
});
