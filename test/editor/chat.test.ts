import type { Browser, Locator } from "playwright-core";
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

/** Its element's place among the others says nothing: a list uses them again. */
function newestResponse(): Locator {
  return bench.page.locator(
    '.interactive-session .monaco-list-row[data-last-element="true"]:has(.interactive-response)',
  );
}

/** The newest response, when it is complete. */
async function answered(question: string): Promise<Locator> {
  await bench.page.locator(".interactive-request").getByText(question).first().waitFor();
  const response = newestResponse();
  await response.getByText(/first token/).waitFor({ timeout: 60_000 });
  return response;
}

/** Types it and submits it; Enter would take a name that the editor offers, as long as it offers one. */
async function send(text: string): Promise<void> {
  await bench.page.keyboard.type(text, typing);
  await bench.page.waitForTimeout(500);
  if (await bench.page.locator(".suggest-widget.visible").isVisible()) await bench.page.keyboard.press("Escape");
  await bench.page.keyboard.press("Enter");
}

function sessionText(): Promise<string> {
  return bench.page.locator(".interactive-session").innerText();
}

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
    await expect.poll(() => sessionText()).toMatch(/Loading the model|Reading: [\d,]+ of [\d,]+ tokens/);
    await bench.picture("progress");
    const response = await answered("where is connectOrSpawn defined?");
    await bench.picture("answer");
    await expect.poll(() => response.innerText()).toContain("connectOrSpawn");
    await response.locator(".chat-inline-anchor-widget").first().click();
    await expect.poll(() => bench.activeTab()).toBe("connect-or-spawn.ts");
  });

  it("offers follow-ups, and one of them is answered from what is read", async () => {
    const followUp = bench.page.locator(".interactive-session").getByText("what does connectOrSpawn do?");
    await followUp.click();
    const response = await answered("what does connectOrSpawn do?");
    expect(await response.innerText()).toMatch(/connect-or-spawn\.ts:\d+[^]*[1-9][\d,]+ of [\d,]+ tokens reused/);
    await bench.picture("follow-up");
  });

  it("has @longsight /where find a name", async () => {
    // The participant stays in the input: it is sticky.
    await bench.page.locator(".interactive-input-part .monaco-editor").first().click();
    await send("/where ensureRuntimeDir");
    const response = await answered("ensureRuntimeDir");
    expect(await response.innerText()).toMatch(/runtime-dir\.ts:\d+/);
    await response.locator(".chat-inline-anchor-widget").first().click();
    await expect.poll(() => bench.activeTab()).toBe("runtime-dir.ts");
    await bench.picture("where");
  });

  it("has @longsight /summarize a folder", async () => {
    await bench.page.locator(".interactive-input-part .monaco-editor").first().click();
    await send("/summarize socket");
    const response = newestResponse();
    await response.getByText(/files are summarized/).waitFor({ timeout: 120_000 });
    await bench.picture("summary");
    expect(await response.innerText()).toContain("listen.ts");
  });

  it("lists the tool for agents to be named by a person", async () => {
    await bench.page.locator(".interactive-input-part .monaco-editor").first().click();
    await bench.page.keyboard.press("Control+A");
    await bench.page.keyboard.type("#longs", typing);
    const suggestion = bench.page.locator(".suggest-widget .monaco-list-row", { hasText: "longsight" });
    await suggestion.first().waitFor();
    await bench.picture("tool");
  });
});
