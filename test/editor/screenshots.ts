import { mkdirSync } from "node:fs";
import path from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { AskPage } from "./ask-page.ts";
import { sampleRepository } from "./sample-repository.ts";
import { linuxPackage, repositoryRoot, startServer } from "./server.ts";
import { launchBrowser, Workbench } from "./workbench.ts";

// `npm run screenshots`: the pictures of README and of the walkthrough, taken in the real editor with the bundled model.
const media = path.join(repositoryRoot, "media");
const themes = { dark: "Default Dark Modern", light: "Default Light Modern" };
let browser: Browser;

beforeAll(async () => {
  mkdirSync(path.join(media, "walkthrough"), { recursive: true });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser.close();
});

describe.each(Object.entries(themes))("in the %s theme", (kind, theme) => {
  it("takes them", async () => {
    const server = await startServer({
      vsix: linuxPackage,
      settings: {
        "workbench.colorTheme": theme,
        "editor.minimap.enabled": false,
        "window.autoDetectColorScheme": false,
      },
    });
    try {
      const bench = await Workbench.open(browser, server.port, sampleRepository(), "screenshot");
      await bench.page.setViewportSize({ width: 1100, height: 680 });
      const take = async (name: string): Promise<void> => {
        // The pointer's hover and a notification are no part of a picture.
        await bench.page.mouse.move(250, 17);
        await bench.page.waitForTimeout(1500);
        await bench.page.screenshot({ path: path.join(media, "walkthrough", `${name}-${kind}.png`) });
      };
      const ask = await AskPage.show(bench);
      await ask.ask("where is connectOrSpawn defined?");
      await ask.ask("what does listenOnce do?");
      await ask.ask("where is ensureRuntimeDir defined?");
      await ask.frame.locator("button.place").last().click();
      // The conversation with its questions in sight.
      await bench.page.locator('.pane-header[aria-label^="Context"]').click();
      await take("ask");
      await bench.page.locator('.pane-header[aria-label^="Context"]').click();
      await bench.command("Longsight: Show Context Map");
      await bench.webview(".map .box");
      await take("context");
      await bench.command("Longsight: Summarize the Repository");
      await bench.page.getByText(/Summarized: (\d+) of \1 files/).waitFor({ timeout: 150_000 });
      await bench.page.locator('.pane-header[aria-label^="Ask"]').click();
      await bench.page.locator('.pane-header[aria-label^="Context"]').click();
      await take("summaries");
    } finally {
      await server.stop();
    }
  });
});
