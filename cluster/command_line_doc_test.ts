import assert from "node:assert/strict";
import { plannerSchema } from "@pixii/planner";
import { schemaTable } from "@pixii/runtime";
import type { ConfigSchema } from "@pixii/runtime";
import { devSchema } from "./dev_config.ts";
import { profileSchema } from "./profile/profile_config.ts";

/** Fails where a page lacks a line of the table of a schema's options. */
async function assertHolds(page: string, schema: ConfigSchema): Promise<void> {
  const text = await Deno.readTextFile(new URL(`../docs/${page}`, import.meta.url));
  const words = (line: string) => line.replaceAll(/\s+/g, " ").replaceAll(/-{3,}/g, "---");
  const lines = new Set(text.split("\n").map(words));
  for (const line of schemaTable(schema).split("\n")) assert.ok(lines.has(words(line)), line);
}

Deno.test("docs/command-line.md holds the table of the options as they are", async () => {
  for (const schema of [devSchema, profileSchema]) await assertHolds("command-line.md", schema);
});

Deno.test("docs/planner.md holds the table of the planner's options as they are", async () => {
  await assertHolds("planner.md", plannerSchema);
});
