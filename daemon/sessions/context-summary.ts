/** What clients see of a pack: counts and reasons, never tokens. */
import type { PackedRepository } from "../prompt/index.ts";
import type { ContextFile, ContextSummary, LeftOut } from "../protocol/context.ts";
import { limits } from "../protocol/limits.ts";
import type { RepositoryView } from "./repository-view.ts";

export function summarizeContext(
  pack: PackedRepository,
  { overlays }: RepositoryView,
  changedFiles: number,
): ContextSummary {
  return {
    files: pack.files.length,
    tokens: pack.tokens.length,
    ...listLeftOut(pack),
    changedFiles,
    unsavedFiles: pack.files.filter(({ path }) => overlays.has(path)).length,
  };
}

export function listFiles(pack: PackedRepository, { overlays }: RepositoryView): ContextFile[] {
  return pack.files.map(({ path, tokenCount, lineCount, sizeBytes }) => ({
    path,
    tokens: tokenCount,
    lines: lineCount,
    sizeBytes,
    unsaved: overlays.has(path),
  }));
}

export function listLeftOut(pack: PackedRepository): { leftOut: LeftOut[]; leftOutCount: number } {
  const leftOut: LeftOut[] = pack.leftOut.map((entry) => ({ ...entry }));
  for (const { path, lastLine } of pack.truncated) {
    leftOut.push({ path, reason: "truncated", detail: `only up to line ${lastLine.toString()}`, fileCount: 1 });
  }
  return {
    leftOut: leftOut.slice(0, limits.maxLeftOutListed),
    leftOutCount: pack.leftOut.reduce((sum, entry) => sum + entry.fileCount, pack.truncated.length),
  };
}
