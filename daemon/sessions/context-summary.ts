import type { PackedRepository } from "../prompt/index.ts";
import type { ContextSummary, LeftOut } from "../protocol/context.ts";
import { limits } from "../protocol/limits.ts";

/** What clients see of a pack: counts and reasons, never tokens. */
export function summarizeContext(pack: PackedRepository, changedFiles: number): ContextSummary {
  const leftOut: LeftOut[] = pack.leftOut.map(({ path, reason, detail, fileCount }) => ({ path, reason, detail, fileCount }));
  for (const { path, lastLine } of pack.truncated) {
    leftOut.push({ path, reason: "truncated", detail: `only up to line ${lastLine.toString()}`, fileCount: 1 });
  }
  return {
    files: pack.files.length,
    tokens: pack.tokens.length,
    leftOut: leftOut.slice(0, limits.maxLeftOutListed),
    leftOutCount: pack.leftOut.reduce((sum, entry) => sum + entry.fileCount, pack.truncated.length),
    changedFiles,
  };
}
