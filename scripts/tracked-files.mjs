// What git lists of this checkout: tracked files and new ones that are not ignored, less those deleted from disk.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. The tests of the checks point them at a tree of their own, made to break each rule. */
export const root = process.env.LONGSIGHT_CHECK_ROOT ?? fileURLToPath(new URL("..", import.meta.url));

/**
 * @param {{ includeNew?: boolean }} [options] `includeNew`: also files that are not added to git yet
 * @returns {string[]} paths from the repository root, sorted
 */
export function trackedFiles({ includeNew = true } = {}) {
  const which = includeNew ? ["--cached", "--others", "--exclude-standard"] : ["--cached"];
  const listed = execFileSync("git", ["ls-files", "-z", ...which], { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  const unique = new Set(listed.split("\0").filter((file) => file !== "" && existsSync(path.join(root, file))));
  return [...unique].sort();
}
