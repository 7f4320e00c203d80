import path from "node:path";
import { fileURLToPath } from "node:url";
import { ESLint } from "eslint";
import tseslint from "typescript-eslint";
import { describe, expect, it } from "vitest";

// The walls of eslint.config.js, tried by breaking them. None of the rules tried here needs types, and without those a
// file is linted in milliseconds.
const root = fileURLToPath(new URL("../..", import.meta.url));
const eslint = new ESLint({ cwd: root, overrideConfig: [tseslint.configs.disableTypeChecked] });

async function rulesBroken(filePath: string, text: string): Promise<string[]> {
  const [result] = await eslint.lintText(text, { filePath: path.join(root, filePath) });
  return [...new Set(result!.messages.map((message) => message.ruleId ?? message.message))];
}

const wall = "longsight/room-walls";

describe("walls between the rooms", () => {
  it("keeps the engine out of the protocol", async () => {
    const text = 'import type { Engine } from "../engine/engine.ts";\nexport type E = Engine;\n';
    expect(await rulesBroken("daemon/protocol/errors.ts", text)).toContain(wall);
  });

  it("sees every form of import", async () => {
    const engine = '"../engine/engine.ts"';
    for (const text of [
      `export * from ${engine};\n`,
      `export type { Engine } from ${engine};\n`,
      `export type E = import(${engine}).Engine;\n`,
      `export const e: unknown = await import(${engine});\n`,
    ]) {
      expect(await rulesBroken("daemon/protocol/errors.ts", text), text).toContain(wall);
    }
  });

  it("keeps packages and Node's modules out of the protocol", async () => {
    const text = 'import type { Socket } from "node:net";\nexport type S = Socket;\n';
    expect(await rulesBroken("daemon/protocol/errors.ts", text)).toContain("no-restricted-imports");
  });

  it("lets the engine's room use the protocol", async () => {
    const text = 'import type { ErrorCode } from "../protocol/errors.ts";\nexport type C = ErrorCode;\n';
    expect(await rulesBroken("daemon/engine/engine.ts", text)).toEqual([]);
  });

  it("keeps the addon inside the engine's room", async () => {
    const text = 'import type { Addon } from "../../native/addon.d.ts";\nexport type A = Addon;\n';
    expect(await rulesBroken("daemon/protocol/errors.ts", text)).toContain(wall);
    expect(await rulesBroken("daemon/engine/engine.ts", text)).toEqual([]);
  });

  it("keeps the editor's API in the extension, and out of its pages", async () => {
    const text = 'import * as vscode from "vscode";\nexport const version: string = vscode.version;\n';
    expect(await rulesBroken("daemon/server/daemon.ts", text)).toContain("no-restricted-imports");
    expect(await rulesBroken("extension/webview/ask.ts", text)).toContain("no-restricted-imports");
    expect(await rulesBroken("extension/main.ts", text)).toEqual([]);
  });

  it("keeps the extension to the protocol", async () => {
    const text = 'import { dial } from "../daemon/socket/dial.ts";\nexport const d: unknown = dial;\n';
    expect(await rulesBroken("extension/main.ts", text)).toContain(wall);
  });

  it("lets one file only load the addon", async () => {
    const text =
      'import { createRequire } from "node:module";\n' +
      'export const addon: unknown = createRequire(import.meta.url)("../build/Release/longsight.node");\n';
    expect(await rulesBroken("daemon/engine/engine.ts", text)).toContain("no-restricted-syntax");
    expect(await rulesBroken("daemon/engine/native-worker.ts", text)).toEqual([]);
  });

  it("lets nothing import test/", async () => {
    const text = 'import { here } from "../../test/house/walls.test.ts";\nexport const there = here;\n';
    expect(await rulesBroken("daemon/engine/engine.ts", text)).toContain(wall);
  });

  it("refuses an unchecked `as` and `any`", async () => {
    expect(await rulesBroken("daemon/engine/engine.ts", "export const x = JSON.parse('1') as number;\n")).toContain(
      "@typescript-eslint/consistent-type-assertions",
    );
    expect(await rulesBroken("daemon/engine/engine.ts", "export const x: any = 1;\n")).toContain(
      "@typescript-eslint/no-explicit-any",
    );
  });
});
