import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { productVersion } from "../../daemon/protocol/version.ts";
import { sampleRepository } from "./sample-repository.ts";
import { repositoryRoot, startServer } from "./server.ts";
import { launchBrowser, Workbench } from "./workbench.ts";

// The suites of host/, run by the editor itself in its extension host, on what the package has inside.
let browser: Browser;
let suite: string;

beforeAll(async () => {
  browser = await launchBrowser();
  suite = path.join(mkdtempSync(path.join(tmpdir(), "ls-host-")), "suite.cjs");
  await build({
    entryPoints: [path.join(import.meta.dirname, "host/suite.ts")],
    outfile: suite,
    bundle: true,
    platform: "node",
    format: "cjs",
    external: ["vscode"],
  });
});

afterAll(async () => {
  await browser.close();
});

/** This product under an older version's name. */
function oldProgram(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "ls-old-"));
  mkdirSync(path.join(folder, "dist"));
  writeFileSync(path.join(folder, "dist/package.json"), '{ "type": "module" }');
  for (const file of ["longsight.js", "daemon.js", "native-worker.js"]) {
    const text = readFileSync(path.join(repositoryRoot, "dist", file), "utf8");
    writeFileSync(path.join(folder, "dist", file), text.replaceAll(`"${productVersion}"`, '"0.0.9"'));
  }
  for (const shared of ["build", "models", "node_modules"]) {
    symlinkSync(path.join(repositoryRoot, shared), path.join(folder, shared));
  }
  const program = path.join(folder, "longsight");
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${folder}/dist/longsight.js" "$@"\n`);
  chmodSync(program, 0o755);
  return program;
}

/** Runs a group in the editor; its tests' lines, and the status that the editor gives the run. */
async function runGroup(group: string): Promise<{ lines: readonly string[]; status: number }> {
  const folder = sampleRepository();
  const server = await startServer({
    env: { LONGSIGHT_HOST_TESTS: group, LONGSIGHT_OLD_PROGRAM: oldProgram() },
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    const page = await context.newPage();
    const lines: string[] = [];
    const ended = new Promise<number>((resolve, reject) => {
      void page.exposeFunction("codeAutomationLog", (_: string, args: unknown[]) => {
        lines.push(...args.map(String).filter((line) => line.startsWith("host-test")));
      });
      void page.exposeFunction("codeAutomationExit", (code: number) => resolve(code));
      setTimeout(() => reject(new Error(`no end; so far:\n${lines.join("\n")}`)), 280_000).unref();
    });
    // The packaged content, unpacked: what scripts/package.mjs staged for linux-x64.
    const development = path.join(server.folder, "extension");
    cpSync(path.join(repositoryRoot, "dist/vsix"), development, { recursive: true });
    const remote = (file: string): string => `vscode-remote://127.0.0.1:${server.port}${file}`;
    const payload = [
      ["extensionDevelopmentPath", remote(development)],
      ["extensionTestsPath", remote(suite)],
      ["skipWelcome", "true"],
    ];
    const query = new URLSearchParams({ folder, payload: JSON.stringify(payload) });
    await page.goto(`http://127.0.0.1:${server.port}/?${query.toString()}`);
    return { status: await ended, lines };
  } finally {
    await context.close();
    await server.stop();
  }
}

describe("in the extension host", { timeout: 300_000 }, () => {
  for (const [group, tests] of [
    ["start", 11],
    ["life", 5],
  ] as const) {
    it(`passes its ${tests} tests of "${group}"`, async () => {
      const { lines, status } = await runGroup(group);
      console.log(lines.join("\n"));
      expect(lines.filter((line) => line.startsWith("host-test failed"))).toEqual([]);
      expect(lines.filter((line) => line.startsWith("host-test ok"))).toHaveLength(tests);
      expect(status).toBe(0);
    });
  }
});

describe("a folder that is not trusted", { timeout: 120_000 }, () => {
  it("is not read, and no daemon is started for it", async () => {
    const server = await startServer({ vsix: path.join(repositoryRoot, "dist/longsight-linux-x64.vsix"), trust: true });
    try {
      const bench = await Workbench.open(browser, server.port, sampleRepository(), "untrusted");
      await bench.command("Longsight: Ask the Repository");
      const page = await bench.webview("textarea");
      await page.locator("textarea").fill("where is dial defined?");
      await page.locator("textarea").press("Enter");
      await page.getByText("Longsight does not read a folder that is not trusted.").waitFor();
      await bench.picture("asked");
      expect(await bench.status()).toBe("Longsight");
      expect(await bench.paneText("Context")).toContain("once you trust it");
      expect(() => readFileSync(path.join(server.env["LONGSIGHT_RUNTIME_DIR"]!, "daemon.log"))).toThrow(/ENOENT/);
      // Trusted, it is read as any other.
      await bench.command("Workspaces: Manage Workspace Trust");
      await bench.page.getByRole("button", { name: "Trust", exact: true }).click();
      await expect.poll(() => bench.treeRows("Context")).toContain(".envout: secret");
      await bench.picture("trusted");
      await bench.page.context().close();
    } finally {
      await server.stop();
    }
  });
});
