/// <reference lib="dom" />
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser, Frame } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AskPage } from "./ask-page.ts";
import { type EditorServer, linuxPackage, startServer } from "./server.ts";
import { launchBrowser, Workbench } from "./workbench.ts";

// A repository whose text and names try to become markup, links and escapes in the webviews.
const markup = `<img src=x onerror="parent.owned=1"><script>parent.owned=1</script><b>bold</b>`;
const link = "[go](command:workbench.action.closeWindow) ![pixel](https://example.org/p.png)";
const hostileLine = `export function hostileName() { return '${markup} ${link} \x1b[31mred'; }`;
const hostileFile = "<b>bold<b>.ts";

let folder: string;
let server: EditorServer;
let browser: Browser;
let bench: Workbench;
let ask: AskPage;

beforeAll(async () => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), "ls-hostile-")), "hostile");
  mkdirSync(folder);
  writeFileSync(path.join(folder, hostileFile), `${hostileLine}\n`);
  writeFileSync(path.join(folder, "plain.ts"), "export function plainName(): void {}\n");
  execFileSync("git", ["init", "-q"], { cwd: folder });
  server = await startServer({ vsix: linuxPackage, settings: { "window.autoDetectColorScheme": true } });
  browser = await launchBrowser();
  bench = await Workbench.open(browser, server.port, folder, "hostile");
  ask = await AskPage.show(bench);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** Elements that our pages never make. */
function foreign(frame: Frame): Promise<number> {
  return frame.locator("main :is(img, script, iframe, b, a, style, link)").count();
}

describe("hostile text", { timeout: 120_000 }, () => {
  it("stands in an answer as the text that it is", async () => {
    const answer = await ask.ask("where is hostileName defined?");
    await bench.picture("answer");
    expect(answer.places).toEqual([`${hostileFile}:1`]);
    expect(answer.text).toContain("<img src=x onerror=");
    expect(answer.text).toContain("[go](command:workbench.action.closeWindow)");
    expect(answer.text).not.toContain("\x1b");
    expect(await foreign(ask.frame)).toBe(0);
  });

  it("stands in a question, too", async () => {
    await ask.ask(`${markup} where is plainName defined?`);
    expect(await ask.frame.locator(".turn h3").last().innerText()).toContain(markup);
    expect(await foreign(ask.frame)).toBe(0);
  });

  it("stands in the context map as the names that they are", async () => {
    await bench.command("Longsight: Show Context Map");
    const map = await bench.webview(".map .box");
    await expect.poll(() => map.locator("tbody button").allInnerTexts()).toContain(hostileFile);
    await bench.picture("map");
    expect(await foreign(map)).toBe(0);
  });

  it("could not run or load if it did become markup", async () => {
    const blocked = await ask.frame.evaluate(async () => {
      const seen: string[] = [];
      document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "window.owned = 1";
      const image = document.createElement("img");
      image.src = "https://example.org/p.png";
      const box = document.createElement("div");
      box.setAttribute("style", "color: red");
      document.body.append(script, image, box);
      await fetch("https://example.org/").catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 300));
      for (const made of [script, image, box]) made.remove();
      return { seen: [...new Set(seen)].sort(), owned: "owned" in window };
    });
    expect(blocked.owned).toBe(false);
    expect(blocked.seen).toEqual(["connect-src", "img-src", "script-src-elem", "style-src-attr"]);
  });
});

describe("the Ask page", { timeout: 120_000 }, () => {
  it("follows the theme: light, dark, high contrast", async () => {
    const colours = async (kind: string): Promise<string> => {
      await ask.frame.locator(`body.${kind}`).waitFor();
      await bench.picture(kind);
      const { background, text } = await ask.frame.evaluate(() => ({
        background: getComputedStyle(document.documentElement).getPropertyValue("--vscode-sideBar-background"),
        text: getComputedStyle(document.body).color,
      }));
      return `${background} ${text}`;
    };
    const light = await colours("vscode-light");
    await bench.page.emulateMedia({ colorScheme: "dark" });
    const dark = await colours("vscode-dark");
    await bench.page.emulateMedia({ colorScheme: "dark", forcedColors: "active" });
    const contrast = await colours("vscode-high-contrast");
    expect(new Set([light, dark, contrast]).size).toBe(3);
  });

  it("is used without a mouse", async () => {
    await ask.frame.locator("textarea").focus();
    const focused = (): Promise<string | null> => ask.frame.evaluate(() => document.activeElement?.textContent ?? null);
    for (let presses = 0; presses < 20 && (await focused()) !== "plain.ts:1"; presses++) {
      await bench.page.keyboard.press("Shift+Tab");
    }
    expect(await focused()).toBe("plain.ts:1");
    await bench.page.keyboard.press("Enter");
    await expect.poll(() => bench.activeTab()).toBe("plain.ts");
  });
});
