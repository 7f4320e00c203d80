// `npm run package`: two extensions for VS Code in dist/. `longsight-linux-x64.vsix` brings the daemon, the addon, the
// tokenizer and the bundled model; `longsight.vsix`, for every other machine, starts `longsight` from the PATH.
//
// What may go in is what extension/.vscodeignore names; test/editor/package.test.ts holds the result against it.
import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createVSIX } from "@vscode/vsce";
import { bundleExtension } from "./bundle-extension.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const stage = path.join(root, "dist/vsix");

/** From the repository's root to the extension's. */
const client = [
  ["extension/package.json", "package.json"],
  ["extension/package.nls.json", "package.nls.json"],
  ["extension/.vscodeignore", ".vscodeignore"],
  ["extension/README.md", "README.md"],
  ["CHANGELOG.md", "CHANGELOG.md"],
  ["LICENSE", "LICENSE"],
  ["media/icon.png", "media/icon.png"],
  ["media/view.svg", "media/view.svg"],
  ["media/walkthrough", "media/walkthrough"],
  ["dist/extension/extension.cjs", "dist/extension.cjs"],
  ["dist/extension/webview", "dist/webview"],
];
const daemon = [
  ["dist/longsight.js", "dist/longsight.js"],
  ["dist/daemon.js", "dist/daemon.js"],
  ["dist/native-worker.js", "dist/native-worker.js"],
  ["models/bundled", "models/bundled"],
  // Beside the programs that load it; a root node_modules would be read as the extension's dependencies.
  ...["package.json", "index.js", "LICENSE", "tokenizers.linux-x64-gnu.node"].map((file) => [
    `node_modules/tokenizers/${file}`,
    `dist/node_modules/tokenizers/${file}`,
  ]),
];

/** @param {string[][]} files */
async function stageFiles(files) {
  for (const [from, to] of files) {
    const source = path.join(root, from);
    if (!existsSync(source)) throw new Error(`package: ${from} is missing; run \`npm run build\`.`);
    await mkdir(path.dirname(path.join(stage, to)), { recursive: true });
    await cp(source, path.join(stage, to), { recursive: true });
  }
}

/** The addon, and what was built beside it for devices. */
async function stageAddon() {
  const files = (await readdir(path.join(root, "build/Release"))).filter((file) =>
    /\.(node|so|fatbin|cubin)$/.test(file),
  );
  await stageFiles(files.map((file) => [`build/Release/${file}`, `build/Release/${file}`]));
}

/** @param {string} name @param {string} [target] */
async function pack(name, target) {
  const packagePath = path.join(root, "dist", name);
  await rm(packagePath, { force: true });
  await createVSIX({
    cwd: stage,
    packagePath,
    dependencies: false,
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
    ...(target === undefined ? {} : { target }),
  });
  console.log(`dist/${name}: ${(statSync(packagePath).size / 1e6).toFixed(1)} MB`);
}

await bundleExtension();
await rm(stage, { recursive: true, force: true });
await stageFiles(client);
await pack("longsight.vsix");
await stageFiles(daemon);
await stageAddon();
// The programs are ES modules, the extension's main file is not.
await writeFile(path.join(stage, "dist/package.json"), '{ "type": "module" }\n');
await pack("longsight-linux-x64.vsix", "linux-x64");
