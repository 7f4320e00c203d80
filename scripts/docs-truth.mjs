// What the documents name must exist: files and folders, npm scripts, and commands of the CLI.
//
// Read are the top documents and every README below them. A path counts when it stands in backquotes and begins with
// a folder or file of the repository root (or, in a folder's README, of that folder); `name` alone is not a path.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { root, trackedFiles } from "./tracked-files.mjs";

const documents = trackedFiles().filter((file) => file.endsWith(".md") && !file.startsWith("models/"));
/** @type {{ scripts: Record<string, string> }} */
const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
const lifecycle = new Set(["ci", "install", "test", "pack", "link", "exec"]);
const cliSource = trackedFiles()
  .filter((file) => file.startsWith("daemon/cli/") && file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .map((file) => readFileSync(path.join(root, file), "utf8"))
  .join("\n");

const tracked = trackedFiles();
const topLevel = new Set(tracked.map((file) => file.split("/")[0]));
/** Made by a build or a download, so absent from a fresh clone. */
const built = /^(dist|build|build-[a-z]+|node_modules|coverage)(\/|$)/;

/** @param {string} text a code span's content @returns {string | undefined} the path that it names, if it names one */
function pathIn(text) {
  const bare = text.replace(/(:\d+(-\d+)?)$/, "").replace(/\/$/, "");
  if (!/^[\w.@-]+(\/[\w.@*-]+)*$/.test(bare) || bare.includes("*")) return undefined;
  return topLevel.has(bare.split("/")[0]) ? bare : undefined;
}

const failures = [];
for (const document of documents) {
  readFileSync(path.join(root, document), "utf8")
    .split("\n")
    .forEach((line, index) => {
      const at = `${document}:${index + 1}`;
      const spans = [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1]);
      const links = [...line.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)/g)].map((match) => match[1]);
      for (const named of spans.map(pathIn)) {
        if (named === undefined || built.test(named)) continue;
        const candidates = [named, path.posix.join(path.posix.dirname(document), named)];
        if (!candidates.some((file) => existsSync(path.join(root, file))))
          failures.push(`${at}: no such path: ${named}`);
      }
      for (const link of links) {
        const target = path.posix.join(path.posix.dirname(document), link);
        if (!existsSync(path.join(root, target))) failures.push(`${at}: broken link: ${link}`);
      }
      for (const [, script] of line.matchAll(/\bnpm run ([\w:-]+)/g)) {
        if (!(script in manifest.scripts)) failures.push(`${at}: no such npm script: ${script}`);
      }
      for (const [, command] of line.matchAll(/(?:^|`|&& )npm (?!run\b)([a-z]+)/g)) {
        if (!lifecycle.has(command)) failures.push(`${at}: npm ${command} is not one of ours`);
      }
      for (const [, command] of line.matchAll(/(?:^|npx |`)longsight ([a-z]+)/g)) {
        if (!new RegExp(`["'\`]?\\b${command}\\b`).test(cliSource))
          failures.push(`${at}: no such command: longsight ${command}`);
      }
    });
}

for (const failure of failures) console.error(failure);
process.exit(failures.length > 0 ? 1 : 0);
