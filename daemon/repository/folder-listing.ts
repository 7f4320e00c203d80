import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { throwIfCancelled } from "../failure/failure.ts";
import { ExclusionList } from "./exclusion-list.ts";
import type { IgnoreRules } from "./ignore-rules.ts";
import { comparePaths, tooManyFiles, type ListedPath, type Listing } from "./listing.ts";
import { vendoredDetail, vendoredFolderOf } from "./vendored.ts";

/** Folders of version control, never part of the text. */
const controlFolders = new Set([".git", ".hg", ".svn", ".jj", ".bzr"]);

/**
 * The tree below a folder that git does not know: every file less what the ignore files exclude. Links are named and not
 * followed.
 *
 * @param rules must read `.gitignore` too, since git does not do it here
 */
export async function listFolder(
  root: string,
  rules: IgnoreRules,
  maxFiles: number,
  signal?: AbortSignal,
): Promise<Listing> {
  const paths: ListedPath[] = [];
  const exclusions = new ExclusionList();
  const pending = [""];
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    if (signal) throwIfCancelled(signal);
    await rules.readFolder(current);
    const entries = await readFolder(join(root, current));
    if (entries === null) {
      exclusions.add(current, "unreadable", "the folder cannot be read");
      continue;
    }
    for (const entry of entries) {
      const path = `${current}${entry.name}`;
      if (entry.isDirectory()) {
        if (controlFolders.has(entry.name)) continue;
        const folder = `${path}/`;
        if (rules.excludedAt(folder) !== null) exclusions.add(folder, "excluded", "an ignore file names it");
        // Not even listed: an installed dependency tree holds more files than the repository.
        else if (rules.isUnwantedVendored(folder))
          exclusions.add(vendoredFolderOf(folder) ?? folder, "vendored", vendoredDetail);
        else pending.push(folder);
      } else if (rules.excludedAt(path) !== null) {
        exclusions.add(path, "excluded", "an ignore file names it");
      } else {
        paths.push({ path, kind: entry.isSymbolicLink() ? "link" : entry.isFile() ? "file" : "not-a-file" });
      }
      if (paths.length > maxFiles) throw tooManyFiles(root, maxFiles);
    }
  }
  paths.sort((a, b) => comparePaths(a.path, b.path));
  return { source: "folder", paths, excluded: exclusions.entries(), ignoredCount: 0 };
}

async function readFolder(folder: string): Promise<Dirent[] | null> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch {
    return null;
  }
}
