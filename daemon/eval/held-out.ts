/**
 * The packages that training never saw (training/corpus.py leaves them out), cut into repositories of about the size of
 * a context: three that come with `npm ci`, at the versions of package-lock.json, and this project itself.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { findDefinitions } from "./definitions.ts";
import type { Random } from "./random.ts";
import type { TextFile } from "./sample.ts";

export interface HeldOut {
  readonly name: string;
  /** Absolute, or from the root of the installation. */
  readonly folder: string;
  readonly extension: RegExp;
}

export const heldOutPackages: readonly HeldOut[] = [
  { name: "eslint", folder: "node_modules/eslint/lib", extension: /(?<!\.min)\.js$/ },
  { name: "tar", folder: "node_modules/tar/dist/esm", extension: /(?<!\.min)\.js$/ },
  { name: "node-addon-api", folder: "node_modules/node-addon-api", extension: /\.h$/ },
  { name: "longsight", folder: "daemon", extension: /(?<!\.test)\.ts$/ },
  { name: "longsight native", folder: "native", extension: /\.(?:h|cpp)$/ },
];

/** Names that the other packages define, for questions about what is not there. */
export async function namesElsewhere(root: string, heldOut: HeldOut): Promise<string[]> {
  const names = new Set<string>();
  for (const other of heldOutPackages) {
    if (other === heldOut) continue;
    const folder = path.join(root, other.folder);
    for (const name of (await readdir(folder, { recursive: true })).sort()) {
      if (!other.extension.test(name)) continue;
      const text = await readFile(path.join(folder, name), "utf8");
      // Long names are names in any repository; short ones are words.
      for (const found of findDefinitions(name, text)) if (found.name.length > 7) names.add(found.name);
    }
  }
  return [...names];
}

/** Code has some 3.3 bytes a token; a group stays somewhat under the context, so that the pack drops little. */
const bytesPerToken = 2.9;

/** Files of the package, drawn at random, of about `tokens` tokens; none when every file of it is larger than that. */
export async function drawFiles(root: string, heldOut: HeldOut, tokens: number, random: Random): Promise<TextFile[]> {
  const folder = path.resolve(root, heldOut.folder);
  const names = await readdir(folder, { recursive: true });
  const files: TextFile[] = [];
  let bytes = 0;
  for (const name of random.shuffle(names.sort())) {
    if (!heldOut.extension.test(name)) continue;
    const source = path.join(folder, name);
    const { size } = await stat(source);
    if (bytes + size > tokens * bytesPerToken) continue;
    files.push({ path: name.split(path.sep).join("/"), text: await readFile(source, "utf8") });
    bytes += size;
  }
  return files;
}
