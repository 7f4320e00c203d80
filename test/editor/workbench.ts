/** The editor as a person uses it: commands by F1, views, webviews in their nested frames. */
import path from "node:path";
import { type Browser, chromium, type Frame, type Locator, type Page } from "playwright-core";
import { repositoryRoot, setup } from "./server.ts";

export const picturesFolder = path.join(repositoryRoot, "build-editor/pictures");

/** The extension's id is put before the item's. */
const statusItem = '[id="longsight.longsight.longsight.status"], [id="longsight.longsight.status"]';

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: setup().chromiumPath, args: ["--no-sandbox", "--disable-gpu"] });
}

export class Workbench {
  readonly page: Page;
  #shots = 0;
  readonly #name: string;

  private constructor(page: Page, name: string) {
    this.page = page;
    this.#name = name;
  }

  /** `name`: of the pictures. */
  static async open(browser: Browser, port: number, folder: string, name: string): Promise<Workbench> {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(folder)}`);
    await page.locator(".monaco-workbench").waitFor();
    await page.locator(statusItem).waitFor();
    return new Workbench(page, name);
  }

  /** What extensions keep for workspaces as the browser has it: some seconds behind, which a reload there loses. */
  async keptState(): Promise<string> {
    return this.page.evaluate(async () => {
      const done = <Value>(request: IDBRequest<Value>) =>
        new Promise<Value>((resolve, reject) => {
          request.onsuccess = () => {
            resolve(request.result);
          };
          request.onerror = () => {
            reject(request.error ?? new Error("the browser's database"));
          };
        });
      const kept: unknown[] = [];
      for (const { name = "" } of await indexedDB.databases()) {
        if (!name.startsWith("vscode-web-state-db")) continue;
        const database = await done(indexedDB.open(name));
        for (const store of database.objectStoreNames) {
          kept.push(...(await done<unknown[]>(database.transaction(store).objectStore(store).getAll())));
        }
        database.close();
      }
      return kept.map(String).join("\n");
    });
  }

  /** As `Developer: Reload Window` does in the browser. */
  async reload(): Promise<void> {
    await this.page.reload();
    await this.page.locator(".monaco-workbench").waitFor();
    await this.page.locator(statusItem).waitFor();
  }

  async command(title: string): Promise<void> {
    await this.#quickInput(`>${title}`, (row) => row.getByText(title, { exact: true }));
    await this.page.keyboard.press("Enter");
  }

  /** The command palette's input; without a leading `>` it opens files and lines. Waits for what its first row shows. */
  async #quickInput(text: string, shown?: (row: Locator) => Locator): Promise<void> {
    const input = this.page.locator(".quick-input-widget input").first();
    // One that is still closing is not the one to type into.
    await input.waitFor({ state: "hidden", timeout: 2000 }).catch(() => this.page.keyboard.press("Escape"));
    for (let tries = 1; ; tries++) {
      await this.page.keyboard.press("F1");
      try {
        await input.fill(text, { timeout: 5000 });
        const row = this.page.locator(".quick-input-list .monaco-list-row").first();
        await shown?.(row).first().waitFor({ timeout: 15_000 });
        return;
      } catch (thrown) {
        // A key goes nowhere, and an input closes, when a webview, a menu or another editor takes the focus.
        if (tries === 4) throw thrown;
      }
    }
  }

  /** The page inside a webview of ours that has `selector`. */
  async webview(selector: string): Promise<Frame> {
    const deadline = Date.now() + 30_000;
    for (;;) {
      for (const frame of this.page.frames()) {
        if (!/extensionId=longsight\.longsight/.test(frame.parentFrame()?.url() ?? "")) continue;
        if (
          (await frame
            .locator(selector)
            .count()
            .catch(() => 0)) > 0
        )
          return frame;
      }
      if (Date.now() > deadline) throw new Error(`no webview of ours has ${selector}`);
      await this.page.waitForTimeout(200);
    }
  }

  async status(): Promise<string> {
    return (await this.page.locator(statusItem).innerText()).trim();
  }

  /** Rows of the tree view with this title, as text. */
  async treeRows(view: string): Promise<readonly string[]> {
    const rows = this.page.locator(`.pane:has(.pane-header[aria-label^="${view}"]) .monaco-list-row`);
    return (await rows.allInnerTexts()).map((row) => row.replace(/\s+/g, " ").trim());
  }

  /** A row of a tree view, by the name that it begins with. */
  row(view: string, name: string): Locator {
    return this.page.locator(`.pane:has(.pane-header[aria-label^="${view}"]) .monaco-list-row[aria-label^="${name}"]`);
  }

  /** The cursor's line, as the status bar tells it. */
  async cursorLine(): Promise<number> {
    const text = await this.page.locator('[id="status.editor.selection"]').innerText();
    return Number(/Ln (\d+)/.exec(text)?.[1]);
  }

  async activeTab(): Promise<string | null> {
    return this.page.locator(".tab.active").first().getAttribute("data-resource-name");
  }

  /** All that a view shows, its message included. */
  async paneText(view: string): Promise<string> {
    return this.page.locator(`.pane:has(.pane-header[aria-label^="${view}"])`).innerText();
  }

  async openFile(name: string): Promise<void> {
    await this.#quickInput(name, (row) => row.getByText(name));
    await this.page.keyboard.press("Enter");
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
    await this.focusEditor();
  }

  async focusEditor(): Promise<void> {
    await this.page.locator(".part.editor .monaco-editor .view-lines").first().click();
  }

  /** Of the output panel, as far as it is in sight. */
  async outputText(): Promise<string> {
    return linesOf(this.page.locator(".part.panel .view-lines").first());
  }

  async goToLine(line: number): Promise<void> {
    await this.#quickInput(`:${line}`);
    await this.page.keyboard.press("Enter");
  }

  /** Takes the place that the editor's save dialog proposes. */
  async acceptSaveDialog(look?: () => Promise<void>): Promise<void> {
    const dialog = this.page.locator(".quick-input-widget");
    await dialog.getByText("Export as Markdown", { exact: true }).waitFor();
    await look?.();
    await dialog
      .getByRole("button", { name: /^(Save|OK)$/ })
      .first()
      .click();
  }

  async picture(what: string): Promise<void> {
    const number = (++this.#shots).toString().padStart(2, "0");
    await this.page.screenshot({ path: path.join(picturesFolder, `${this.#name}-${number}-${what}.png`) });
  }
}

/** What an editor shows, from top to bottom: its elements are in no order. */
async function linesOf(lines: Locator): Promise<string> {
  const shown = await lines
    .locator(".view-line")
    .evaluateAll((elements) =>
      elements.map((line) => ({ top: line.getBoundingClientRect().top, text: line.textContent })),
    );
  const ordered = shown.sort((a, b) => a.top - b.top).map(({ text }) => text);
  return ordered.join("\n").replaceAll("\u00a0", " ");
}
