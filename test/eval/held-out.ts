/**
 * The packages that training never saw (training/corpus.py leaves them out), cut into repositories of about the size of
 * a context. They come with `npm ci`, at the versions of package-lock.json.
 */
import { cp, mkdir, mkdtemp, readdir, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Random } from "./random.ts";

export interface HeldOut {
  readonly name: string;
  readonly folder: string;
  readonly extension: string;
}

export const heldOutPackages: readonly HeldOut[] = [
  { name: "eslint", folder: "node_modules/eslint/lib", extension: ".js" },
  { name: "tar", folder: "node_modules/tar/dist/esm", extension: ".js" },
  { name: "node-addon-api", folder: "node_modules/node-addon-api", extension: ".h" },
];

/** Code has some 3.3 bytes a token; a group stays somewhat under the context, so that the pack drops little. */
const bytesPerToken = 3.0;

/** Copies files of the package, drawn at random, to a new folder of about `tokens` tokens. The caller removes it. */
export async function makeRepository(root: string, heldOut: HeldOut, tokens: number, random: Random): Promise<string> {
  const folder = path.join(root, heldOut.folder);
  const names = await readdir(folder, { recursive: true });
  const target = await mkdtemp(path.join(os.tmpdir(), `longsight-eval-${heldOut.name}-`));
  let bytes = 0;
  for (const name of random.shuffle(names.sort())) {
    const source = path.join(folder, name);
    if (!name.endsWith(heldOut.extension) || name.includes(".min.")) continue;
    const { size } = await stat(source);
    // A file that is alone larger than the rest of the budget is passed over, unless nothing is in yet.
    if (bytes > 0 && bytes + size > tokens * bytesPerToken) continue;
    await mkdir(path.dirname(path.join(target, name)), { recursive: true });
    await cp(source, path.join(target, name));
    bytes += size;
    if (bytes > tokens * bytesPerToken) break;
  }
  return target;
}
