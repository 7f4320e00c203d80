/// <reference lib="dom" />
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AskPage, reusedTokens } from "./ask-page.ts";
import { sampleRepository } from "./sample-repository.ts";
import { type EditorServer, linuxPackage, startServer } from "./server.ts";
import { launchBrowser, Workbench } from "./workbench.ts";

// A person's way through the product, on the packaged extension in a clean profile. Each step goes on from the last.
let folder: string;
let server: EditorServer;
let browser: Browser;
let bench: Workbench;
let ask: AskPage;

beforeAll(async () => {
  folder = sampleRepository();
  server = await startServer({ vsix: linuxPackage });
  browser = await launchBrowser();
  bench = await Workbench.open(browser, server.port, folder, "journey");
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

function lineOf(file: string, text: string): number {
  return (
    readFileSync(path.join(folder, file), "utf8")
      .split("\n")
      .findIndex((line) => line.includes(text)) + 1
  );
}

describe("a person", { timeout: 180_000 }, () => {
  it("opens Longsight and sees what there is to read, before anything is read", async () => {
    ask = await AskPage.show(bench);
    await expect.poll(() => ask.contextLine()).toMatch(/^[\d.]+K of [\d.]+K tokens · \d+ files/);
    await expect.poll(() => ask.readState()).toContain("Not read yet · 1 left out");
    await expect.poll(() => bench.treeRows("Context")).toContain(".envout: secret");
    await bench.picture("opened");
  });

  it("asks, watches the reading, and reads the answer", async () => {
    await ask.send("where is connectOrSpawn defined?");
    const progress = ask.frame.locator(".turn .progress");
    await progress.getByText(/Reading: [\d,]+ of [\d,]+ tokens/).waitFor();
    await bench.picture("progress");
    const answer = await ask.answer();
    await bench.picture("answer");
    const line = lineOf("socket/connect-or-spawn.ts", "function connectOrSpawn");
    expect(answer.places).toEqual([`socket/connect-or-spawn.ts:${line}`]);
    expect(answer.badges).toEqual(["checked"]);
    expect(answer.figures).toMatch(
      /^first token [\d.]+ s\s+\d+ tokens\/s\s+0 of [\d,]+ tokens reused\s+read in .* s\s+(dense|sparse) prefill/,
    );
    await expect.poll(() => bench.status()).toMatch(/Longsight [\d.]+K tokens/);
  });

  it("clicks the place and lands on the line", async () => {
    await ask.frame.locator("button.place").first().click();
    await expect.poll(() => bench.activeTab()).toBe("connect-or-spawn.ts");
    await expect.poll(() => bench.cursorLine()).toBe(lineOf("socket/connect-or-spawn.ts", "function connectOrSpawn"));
    await bench.picture("cited-line");
  });

  it("takes a suggested follow-up, which reads nothing again", async () => {
    await ask.frame.locator(".turn .chip").first().click();
    await expect.poll(() => ask.frame.locator(".turn").count()).toBe(2);
    const { figures } = await ask.answer();
    expect(reusedTokens(figures)).toBeGreaterThan(10_000);
    expect(figures).not.toContain("read in");
    await bench.picture("follow-up");
  });

  it("sees where the attention of the answer lay", async () => {
    await bench.command("Longsight: Show Context Map");
    const map = await bench.webview(".map .box");
    await expect
      .poll(() => map.locator("header").innerText())
      .toContain("What the answer to “what is the signature of connectOrSpawn?” looked at");
    const [first] = await map.locator("tbody tr button").allInnerTexts();
    expect(first).toBe("socket/connect-or-spawn.ts");
    await bench.picture("evidence-map");
    await map.locator("ol button").first().click();
    await expect.poll(() => bench.activeTab()).toBe("connect-or-spawn.ts");
  });

  it("stops the reading, and asks again", async () => {
    await bench.command("Longsight: Free the Memory of Read Repositories");
    await expect.poll(() => ask.frame.locator(".context").innerText()).toContain("Not read yet");
    const engine = server.engine();
    await ask.send("what does listenOnce do?");
    const turn = ask.frame.locator(".turn").last();
    await turn.getByText(/Reading: /).waitFor();
    engine.pause();
    try {
      await ask.frame.getByRole("button", { name: "Stop" }).click();
    } finally {
      engine.resume();
    }
    await turn.getByText("Stopped.").waitFor();
    await bench.picture("stopped");
    await expect.poll(() => server.daemonStatus().runningRequests).toBe(0);
    expect((await ask.ask("where is listenOnce defined?")).places).toEqual([
      `socket/listen.ts:${lineOf("socket/listen.ts", "function listenOnce")}`,
    ]);
  });

  it("takes a folder out and sees the budget move", async () => {
    const before = await ask.usedTokens();
    const tick = bench.row("Context", "protocol").locator(".monaco-custom-toggle");
    await tick.click();
    await expect.poll(() => ask.usedTokens()).toBeLessThan(before / 2);
    await expect
      .poll(() => bench.treeRows("Context"))
      .toContainEqual(expect.stringMatching(/^protocol.*out: excluded/));
    await bench.picture("folder-out");
    const absent = await ask.ask("where is errorCatalogue defined?");
    expect(absent.places.filter((place) => place.startsWith("protocol/"))).toEqual([]);
  });

  it("takes it in again by the same checkbox, and the budget moves back", async () => {
    const before = await ask.usedTokens();
    const tick = bench.row("Context", "protocol").locator(".monaco-custom-toggle");
    const row = (text: RegExp): Promise<void> =>
      expect.poll(() => bench.treeRows("Context")).toContainEqual(expect.stringMatching(text));
    await tick.click();
    await expect.poll(() => ask.usedTokens()).toBeGreaterThan(2 * before);
    await row(/^protocol.*20 files$/);
    await bench.picture("folder-in");
    const found = await ask.ask("where is statusRequest defined?");
    expect(found.places[0]).toBe(`protocol/status.ts:${lineOf("protocol/status.ts", "const statusRequest")}`);
    await expect.poll(() => ask.readState()).toContain("Read ·");
    // Out and in again without a question between: nothing has to be read anew.
    const whole = await ask.usedTokens();
    await tick.click();
    await expect.poll(() => ask.usedTokens()).toBe(before);
    await row(/^protocol.*out: excluded/);
    await tick.click();
    await expect.poll(() => ask.usedTokens()).toBe(whole);
    await expect.poll(() => ask.readState()).toContain("Read ·");
    expect(reusedTokens((await ask.ask("what does statusRequest do?")).figures)).toBe(await ask.usedTokens());
  });

  it("edits a file and asks about the edit, before and after saving", async () => {
    const file = path.join(folder, "socket/dial.ts");
    await bench.openFile("dial.ts");
    await bench.page.keyboard.press("Control+End");
    await bench.page.keyboard.insertText("\nexport function freshlyAddedName(): void {}\n");
    await ask.frame.getByText(/1 file changed since it was read/).waitFor();
    await bench.picture("changed");
    await ask.frame.getByRole("button", { name: "Refresh" }).click();
    await expect.poll(() => ask.readState()).toContain("Read ·");
    const unsaved = await ask.ask("where is freshlyAddedName defined?");
    expect(readFileSync(file, "utf8")).not.toContain("freshlyAddedName");
    await bench.focusEditor();
    await bench.page.keyboard.press("Control+S");
    await expect.poll(() => readFileSync(file, "utf8")).toContain("freshlyAddedName");
    const place = `socket/dial.ts:${lineOf("socket/dial.ts", "freshlyAddedName")}`;
    expect(unsaved.places).toEqual([place]);
    // Refreshed before it was asked, and only what comes after the change.
    expect(unsaved.figures).not.toContain("read in");
    const saved = await ask.ask("where is freshlyAddedName defined?");
    expect(saved).toMatchObject({ places: [place], badges: ["checked"] });
    expect(reusedTokens(saved.figures)).toBeGreaterThan(5000);
    await bench.picture("edited");
  });

  it("has the repository summarized, stops, and goes on from there", async () => {
    // Held still but for short turns, so that this is seen on any machine before all is done.
    const engine = server.engine();
    engine.pause();
    try {
      await bench.command("Longsight: Summarize the Repository");
      let turnMs = 10;
      const afterTurn = async (): Promise<string> => {
        engine.resume();
        await setTimeout((turnMs *= 1.5));
        engine.pause();
        await setTimeout(500); // the view is drawn four times a second
        return bench.paneText("Summaries");
      };
      await expect.poll(afterTurn, { timeout: 120_000 }).toMatch(/Summarizing: [1-9]\d* of \d+ files/);
      await bench.picture("summarizing");
      await bench.command("Longsight: Stop Summarizing");
    } finally {
      engine.resume();
    }
    await expect.poll(() => bench.paneText("Summaries")).toContain("Stopped; what was made is kept");
    await bench.picture("summaries-stopped");
  });

  it("has the rest summarized, opens a statement's place, and exports all of it", async () => {
    await bench.command("Longsight: Summarize the Repository");
    await expect.poll(() => bench.paneText("Summaries"), { timeout: 150_000 }).toMatch(/Summarized: (\d+) of \1 files/);
    await bench.picture("summaries");
    await bench.row("Summaries", "failure/").first().click();
    await expect.poll(() => bench.activeTab()).toBe("failure.ts");
    await bench.command("Longsight: Export Summaries as Markdown");
    await bench.acceptSaveDialog(() => bench.picture("save-dialog"));
    const exported = path.join(folder, "sample-summary.md");
    await expect.poll(() => existsSync(exported)).toBe(true);
    await expect.poll(() => readFileSync(exported, "utf8")).toMatch(/^# [\s\S]*connect-or-spawn\.ts/);
    await expect.poll(() => bench.activeTab()).toBe("sample-summary.md");
    await bench.picture("exported");
  });

  it("explains a selection with the whole repository", async () => {
    await bench.openFile("listen.ts");
    await bench.goToLine(lineOf("socket/listen.ts", "function closeServer"));
    await bench.page.keyboard.press("Shift+End");
    await bench.command("Longsight: Explain with the Whole Repository");
    await ask.frame.locator(".turn").last().getByText("what does closeServer do?").waitFor();
    await ask.answer();
    await bench.picture("explained");
  });

  it("copies an answer and exports the conversation", async () => {
    await ask.lastTurn().hover();
    await ask.lastTurn().getByRole("button", { name: "Copy as Markdown" }).click();
    await expect
      .poll(() => bench.page.evaluate(() => navigator.clipboard.readText()))
      .toMatch(/^## what does closeServer do\?[^]*\[socket\/listen\.ts:\d+\]/);
    await bench.command("Longsight: Export Conversation as Markdown");
    await bench.acceptSaveDialog();
    const exported = path.join(folder, "sample-questions.md");
    await expect
      .poll(() => existsSync(exported) && readFileSync(exported, "utf8"))
      .toMatch(/^# Questions about sample/);
    await expect.poll(() => bench.activeTab()).toBe("sample-questions.md");
    await bench.picture("conversation");
  });

  it("shares one daemon and one reading with a second window", async () => {
    const second = await Workbench.open(browser, server.port, folder, "second-window");
    const other = await AskPage.show(second);
    const { figures } = await other.ask("where is dial defined?");
    expect(reusedTokens(figures)).toBeGreaterThan(5000);
    const status = server.daemonStatus();
    expect(status.sessions).toHaveLength(1);
    expect(status.connections).toBeGreaterThanOrEqual(2);
    await second.picture("asked");
    await second.page.context().close();
  });

  it("restarts the daemon and reads the log", async () => {
    const { pid } = server.daemonStatus();
    await bench.command("Longsight: Restart Daemon");
    await expect.poll(() => server.daemonStatus().pid, { timeout: 30_000 }).not.toBe(pid);
    await bench.command("Longsight: Show Log");
    await expect
      .poll(() => bench.outputText())
      .toMatch(/the daemon was stopped[^]*starting .*[^]*connected to the daemon: version [\d.]+, process \d+/);
    expect(await bench.outputText()).not.toContain("[error]");
    await bench.picture("log");
    expect((await ask.ask("where is dial defined?")).badges).toContain("checked");
  });

  it("reloads the window and finds the conversation where it was", async () => {
    const turns = await ask.frame.locator(".turn h3").allInnerTexts();
    const answered = `"id":${String(turns.length)},"question":"${turns.at(-1) ?? ""}","state":{"kind":"answered"`;
    await expect.poll(async () => (await bench.keptState()).includes(answered), { timeout: 30_000 }).toBe(true);
    await bench.reload();
    ask = await AskPage.show(bench);
    await expect.poll(() => ask.frame.locator(".turn h3").allInnerTexts()).toEqual(turns);
    await ask.frame.locator("button.place").last().click();
    await expect.poll(() => bench.activeTab()).toBe("dial.ts");
    await bench.picture("reloaded");
    await bench.command("Longsight: New Conversation");
    await ask.frame.getByText("where is … defined?").waitFor();
    await bench.picture("new-conversation");
  });
});
