import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AskPage } from "./ask-page.ts";
import { endlessModel } from "./endless-model.ts";
import { sampleRepository } from "./sample-repository.ts";
import { type EditorServer, linuxPackage, startServer } from "./server.ts";
import { launchBrowser, Workbench } from "./workbench.ts";

// A model that goes on and on, chosen by the settings, and a person who has read enough.
const model = endlessModel();
let server: EditorServer;
let browser: Browser;
let bench: Workbench;
let ask: AskPage;

beforeAll(async () => {
  // Long enough to be stopped at leisure, short enough for one answer to be waited for.
  const machine = { "longsight.model": model, "longsight.answerTokens": 2500 };
  server = await startServer({ vsix: linuxPackage, machine });
  browser = await launchBrowser();
  bench = await Workbench.open(browser, server.port, sampleRepository(), "long-answer");
  ask = await AskPage.show(bench);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** Characters of the last turn's answer that have come. */
async function shownLength(): Promise<number> {
  return (await ask.lastTurn().locator(".answer").allInnerTexts()).join("").length;
}

describe("a long answer", { timeout: 180_000 }, () => {
  it("streams, and its end stays in sight", async () => {
    await ask.send("where is connectOrSpawn defined?");
    await expect.poll(shownLength, { timeout: 120_000 }).toBeGreaterThan(200);
    const early = await shownLength();
    await expect.poll(shownLength).toBeGreaterThan(early + 300);
    expect(await ask.lastTurn().locator(".progress").innerText()).toContain("Answering");
    await expect.poll(() => bench.status()).toBe("Longsight");
    const below = await ask.frame
      .locator(".log")
      .evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
    expect(below).toBeLessThan(40);
    await bench.picture("streaming");
  });

  it("is stopped by a person, keeps what had come, and says that it was stopped", async () => {
    expect(server.daemonStatus().runningRequests).toBe(1);
    const before = await shownLength();
    await ask.frame.getByRole("button", { name: "Stop" }).click();
    await ask.lastTurn().getByText("Stopped: the answer ends here.").waitFor();
    expect(await ask.lastTurn().locator(".progress, .figures, .chip").count()).toBe(0);
    const text = await ask.lastTurn().locator(".answer").innerText();
    expect(text).toContain("export async function connectOrSpawn");
    expect(text.length).toBeGreaterThanOrEqual(before);
    await bench.picture("stopped");
    await expect.poll(() => server.daemonStatus().runningRequests).toBe(0);
    expect(await ask.lastTurn().locator(".answer").innerText()).toBe(text);
    await expect.poll(() => bench.status()).toMatch(/Longsight [\d.]+K tokens/);
  });

  it("is stopped by the Escape key, too", async () => {
    await ask.send("where is listenOnce defined?");
    await expect.poll(shownLength).toBeGreaterThan(100);
    await ask.frame.locator("textarea").press("Escape");
    await ask.lastTurn().getByText("Stopped: the answer ends here.").waitFor();
  });

  it("of a daemon that is killed in the middle keeps what had come, and says what to do", async () => {
    await ask.send("where is logFilePath defined?");
    await expect.poll(shownLength).toBeGreaterThan(100);
    process.kill(server.daemonStatus().pid, "SIGKILL");
    const failure = ask.lastTurn().locator(".failure");
    await failure.waitFor();
    expect(await failure.innerText()).toMatch(
      /The daemon ended before it had answered\.\s+Ask again: it starts anew\./,
    );
    expect(await shownLength()).toBeGreaterThan(100);
    await expect.poll(() => ask.readState()).toContain("Not read yet");
    await bench.picture("killed");
  });

  it("leaves the next question well, and a limit ends an answer that nobody stops", async () => {
    const { places, badges, figures } = await ask.ask("where is ensureRuntimeDir defined?");
    expect(places[0]).toMatch(/^socket\/runtime-dir\.ts:\d+$/);
    expect(badges[0]).toBe("checked");
    expect(figures).toContain("cut off at the longest answer");
    await bench.picture("next");
  });
});
