import { comparePaths } from "./listing.ts";
import type { ScannedFile } from "./scan-types.ts";

/**
 * Rarely changed files first, recently edited ones last. Files of the same time (all of them, where there is no history)
 * follow their paths, the ones that explain the repository ahead.
 */
export function compareFresh(a: ScannedFile, b: ScannedFile): number {
  return a.changedAtSeconds - b.changedAtSeconds || overviewRank(a) - overviewRank(b) || comparePaths(a.path, b.path);
}

function overviewRank(file: ScannedFile): number {
  return file.fileClass === "overview" ? 0 : 1;
}
