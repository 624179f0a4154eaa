import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { chromiumPath } from "./parts.ts";
import { startDev } from "./dev.ts";

const executablePath = chromiumPath();

Deno.test({
  name:
    "the page in Chromium: chat, workers, a decision in words, the planner; no error on its console",
  ignore: executablePath === undefined,
  async fn() {
    await using dev = await startDev(["--topology", "one", "--model", "tiny"]);
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
      await page.locator("#planner .card").first().waitFor();
      assert.deepEqual(complaints, []);
    } finally {
      await browser.close();
    }
    assert.equal(await dev.end("SIGINT"), 0);
  },
});
