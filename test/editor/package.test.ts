import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { anyPackage, linuxPackage, repositoryRoot } from "./server.ts";

const client = [
  "CHANGELOG.md",
  "LICENSE.txt",
  "README.md",
  "dist/extension.cjs",
  "dist/webview/ask.css",
  "dist/webview/ask.js",
  "dist/webview/map.css",
  "dist/webview/map.js",
  "media/icon.png",
  "media/view.svg",
  "media/walkthrough/*.png",
  "package.json",
  "package.nls.json",
];
const daemon = [
  "build/Release/longsight.node",
  "dist/daemon.js",
  "dist/longsight.js",
  "dist/native-worker.js",
  "dist/node_modules/tokenizers/LICENSE",
  "dist/node_modules/tokenizers/index.js",
  "dist/node_modules/tokenizers/package.json",
  "dist/node_modules/tokenizers/tokenizers.linux-x64-gnu.node",
  "dist/package.json",
  "models/bundled/*",
];

/** Paths in the extension's folder; vsce writes some names in small letters. */
function contents(vsix: string): readonly string[] {
  const names = zipNames(readFileSync(vsix));
  return names
    .filter((name) => name.startsWith("extension/"))
    .map((name) => name.slice("extension/".length))
    .map((name) => name.replace(/^changelog\.md$/, "CHANGELOG.md").replace(/^readme\.md$/, "README.md"))
    .map((name) =>
      name.replace(/^(media\/walkthrough\/)[\w-]+(\.png)$/, "$1*$2").replace(/^(models\/bundled\/).+/, "$1*"),
    )
    .filter((name, index, all) => all.indexOf(name) === index)
    .sort();
}

/** The names in a zip's central directory (APPNOTE 4.3.12). */
function zipNames(zip: Buffer): readonly string[] {
  const names: string[] = [];
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  let at = zip.readUInt32LE(end + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const nameLength = zip.readUInt16LE(at + 28);
    names.push(zip.toString("utf8", at + 46, at + 46 + nameLength));
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return names;
}

describe("the packages", () => {
  it("hold what is needed and nothing else", () => {
    expect(contents(anyPackage)).toEqual([...client].sort());
    expect(contents(linuxPackage)).toEqual([...client, ...daemon].sort());
  });

  it("are small enough to be sent", () => {
    expect(statSync(linuxPackage).size).toBeLessThan(80e6);
    expect(statSync(anyPackage).size).toBeLessThan(3e6);
  });
});

interface Manifest {
  readonly version: string;
  readonly contributes: {
    readonly configuration: { readonly properties: Record<string, { type: string; scope: string; enum?: string[] }> };
  };
  readonly capabilities: { readonly untrustedWorkspaces: { readonly restrictedConfigurations: readonly string[] } };
}

describe("the manifest", () => {
  const read = (file: string): unknown => JSON.parse(readFileSync(path.join(repositoryRoot, file), "utf8"));
  const manifest = read("extension/package.json") as Manifest;
  const texts = read("extension/package.nls.json") as Record<string, string>;

  it("has the version of the product", () => {
    expect(manifest.version).toBe((read("package.json") as Manifest).version);
  });

  it("names every text that it uses, and no other", () => {
    const used = [...JSON.stringify(manifest).matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key);
    expect([...new Set(used)].sort()).toEqual(Object.keys(texts).sort());
  });

  it("lets no workspace name a program, a model or a path", () => {
    const properties = Object.entries(manifest.contributes.configuration.properties);
    const paths = properties.filter(([, { type }]) => type === "string").filter(([, property]) => !property.enum);
    expect(paths.map(([name, { scope }]) => [name, scope])).toEqual([
      ["longsight.model", "machine"],
      ["longsight.nodePath", "machine"],
      ["longsight.programPath", "machine"],
    ]);
    expect(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations).toEqual(paths.map(([name]) => name));
  });
});
