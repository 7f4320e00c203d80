import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sampleRepository } from "./sample-repository.ts";
import { type EditorServer, linuxPackage, startServer } from "./server.ts";
import { launchBrowser, Workbench } from "./workbench.ts";

let server: EditorServer;
let browser: Browser;
let bench: Workbench;

beforeAll(async () => {
  server = await startServer({ vsix: linuxPackage });
  browser = await launchBrowser();
  bench = await Workbench.open(browser, server.port, sampleRepository(), "chat");
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** Milliseconds between keys: the editor completes names while a person types. */
const typing = { delay: 30 };

describe("the Chat view", { timeout: 180_000 }, () => {
  it("has @longsight answer with progress, a place and follow-ups", async () => {
    await bench.command("Chat: Open Chat");
    const input = bench.page.locator(".interactive-input-part .monaco-editor").first();
    // The editor picks our model as soon as it knows of one: a participant needs one, whatever it does with it.
    await bench.page.locator(".interactive-input-part").getByText("Longsight (bundled)").waitFor();
    await input.click();
    await bench.page.keyboard.type("@longsight where is connectOrSpawn defined?", typing);
    await bench.picture("typed");
    await bench.page.keyboard.press("Enter");
    const response = bench.page.locator(".interactive-response").last();
    await response.getByText(/first token/).waitFor({ timeout: 120_000 });
    await bench.picture("answer");
    await expect.poll(() => response.innerText()).toContain("connectOrSpawn");
    await response.locator(".chat-inline-anchor-widget").first().click();
    await expect.poll(() => bench.activeTab()).toBe("connect-or-spawn.ts");
    await expect
      .poll(() => bench.page.locator(".interactive-session").innerText())
      .toContain("what does connectOrSpawn do?");
  });

  it("has @longsight /summarize a folder", async () => {
    await bench.page.locator(".interactive-input-part .monaco-editor").first().click();
    await bench.page.keyboard.type("/summarize socket", typing);
    await bench.page.keyboard.press("Enter");
    const response = bench.page.locator(".interactive-response").last();
    await response.getByText(/files are summarized/).waitFor({ timeout: 120_000 });
    await bench.picture("summary");
    expect(await response.innerText()).toContain("listen.ts");
  });
});
