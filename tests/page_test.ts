import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { runPlan } from "@pixii/cluster/plan";
import { recordingLog, seededChance, systemClock } from "@pixii/runtime";
import { chromiumPath } from "./parts.ts";
import { startDev } from "./dev.ts";

const executablePath = chromiumPath();

Deno.test({
  name:
    "the page in Chromium: chat, workers, a decision in words, the planner; no error on its console",
  ignore: executablePath === undefined,
  async fn() {
    await using dev = await startDev([
      ...["--topology", "one", "--model", "tiny", "--planner.reactive=250ms"],
    ]);
    assert.match(dev.stdout(), /Open it in a browser/);
    const browser = await chromium.launch({
      executablePath,
      args: [
        ...["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
        ...["--disable-background-networking", "--disable-component-update"],
      ],
    });
    try {
      const page = await browser.newPage();
      // On a busy machine an answer alone may take half a minute.
      page.setDefaultTimeout(120_000);
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(dev.facts.url);
      await page.fill("#ask textarea", "<b>Hello</b>");
      await page.keyboard.press("Enter");
      const cost = page.locator(".message.assistant small");
      await cost.filter({ hasText: /first token after \d+ ms · \d+ prompt tokens/ }).waitFor();
      assert.equal(await page.locator(".message.user").innerText(), "<b>Hello</b>");

      await page.click("#tab-cluster");
      await page.locator("#cluster .card", { hasText: "running" }).first().waitFor();
      assert.equal(await page.locator("#chat").isVisible(), false);
      await page.locator("#cluster td", { hasText: /^planner$/ }).waitFor();

      await page.click("#tab-decisions");
      await page.locator("#decisions tr.row").first().click();
      await page.locator("#why", { hasText: "What came of it" }).waitFor();

      await page.click("#tab-planner");
      await page.locator("#planner .card", { hasText: "planned for" }).or(
        page.locator("#planner .card", { hasText: "bound by" }),
      ).first().waitFor();
      await page.locator("#planner svg.timeline rect.both").first().waitFor();
      // What an operator orders is on the page, and what the planner would do about it.
      const { etcd, namespace } = dev.facts;
      const complaint: string[] = [];
      const pinned = await runPlan(
        [
          ...["pin", "--model", "tiny", "--decode", "1", "--reason", "a drill"],
          ...["--etcd", etcd, "--namespace", namespace],
        ],
        {
          ...{ env: {}, clock: systemClock(), chance: seededChance(1), log: recordingLog() },
          ...{ signal: new AbortController().signal, say: () => {} },
          warn: (line) => complaint.push(line),
        },
      );
      assert.deepEqual([pinned, complaint], [0, []]);
      await page.locator("#plan-state td", { hasText: "a drill" }).waitFor();
      await page.locator("#planner svg.timeline circle.would").first().waitFor();
      await page.locator("#planner tr.row").first().focus();
      await page.keyboard.press("Enter");
      const words = page.locator("#plan-words", { hasText: "done: nothing, the planner watches" });
      await words.filter({ hasText: /flip \w{16}\.0 from both to decode/ }).waitFor();
      assert.deepEqual(complaints, []);
    } finally {
      await browser.close();
    }
    assert.equal(await dev.end("SIGINT"), 0);
  },
});
