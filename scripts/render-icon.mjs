// Draws media/icon.svg as media/icon.png with Chromium: marketplaces take PNG only.
import { readFileSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import { editorSetup } from "./editor-setup.mjs";
import { root } from "./tracked-files.mjs";

const { chromiumPath } = await editorSetup();
const browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 256, height: 256 } });
await page.setContent(`<body style="margin:0">${readFileSync(path.join(root, "media/icon.svg"), "utf8")}</body>`);
await page.screenshot({ path: path.join(root, "media/icon.png"), omitBackground: true });
await browser.close();
