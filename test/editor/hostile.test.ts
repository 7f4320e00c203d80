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

/** Of each kind of text on the Ask page: its colour against what lies behind it (WCAG 2.2, 1.4.3). */
function leastContrasts(frame: Frame): Promise<readonly { text: string; ratio: number }[]> {
  return frame.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
    const over = (colours: readonly string[]): number => {
      canvas.clearRect(0, 0, 1, 1);
      for (const colour of colours) {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
      }
      const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
    };
    const page = getComputedStyle(document.documentElement).getPropertyValue("--vscode-sideBar-background");
    const kinds = "h3, .answer, .line, .place, .badge, .figures span, .context span, .context button, .chip, textarea";
    return [...document.querySelectorAll<HTMLElement>(kinds)].map((shown) => {
      const behind: string[] = [];
      for (let at: Element | null = shown; at; at = at.parentElement)
        behind.unshift(getComputedStyle(at).backgroundColor);
      const back = over([page, ...behind]);
      const front = over([page, ...behind, getComputedStyle(shown).color]);
      const ratio = (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
      return { text: `${shown.className || shown.tagName}: ${shown.textContent}`, ratio };
    });
  });
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
  it("follows the theme, and so does the map: light, dark, high contrast dark and light", async () => {
    const map = await bench.webview(".map .box");
    const colours = async (kind: string): Promise<string> => {
      await ask.frame.locator(`body.${kind}`).waitFor();
      await map.locator(`body.${kind}`).waitFor();
      await bench.picture(kind);
      const contrasts = await leastContrasts(ask.frame);
      expect(contrasts.filter(({ ratio }) => ratio < 4.5)).toEqual([]);
      expect(contrasts.length).toBeGreaterThan(8);
      return map.evaluate(() => {
        const box = getComputedStyle(document.querySelector(".box.file")!);
        return `${getComputedStyle(document.body).color} ${box.backgroundColor} ${box.borderTopColor}`;
      });
    };
    const seen = [await colours("vscode-light")];
    await bench.page.emulateMedia({ colorScheme: "dark" });
    seen.push(await colours("vscode-dark"));
    await bench.page.emulateMedia({ colorScheme: "dark", forcedColors: "active" });
    seen.push(await colours("vscode-high-contrast"));
    await bench.page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
    seen.push(await colours("vscode-high-contrast-light"));
    await bench.page.emulateMedia({ colorScheme: "light", forcedColors: "none" });
    expect(new Set(seen).size).toBe(4);
  });

  it("and the map are used without a mouse", async () => {
    const map = await bench.webview(".map .box");
    await map.locator(".tab").first().focus();
    const focused = (): Promise<string | null> => map.evaluate(() => document.activeElement?.textContent ?? null);
    for (let presses = 0; presses < 20 && (await focused()) !== "plain.ts"; presses++) {
      await bench.page.keyboard.press("Tab");
    }
    expect(await focused()).toBe("plain.ts");
    await bench.page.keyboard.press("Enter");
    await expect.poll(() => bench.activeTab()).toBe("plain.ts");
    await bench.command("View: Close All Editors");
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
