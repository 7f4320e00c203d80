import type { ScannedFile } from "../repository/index.ts";
import { encodeMarks, type AnchorLimits, type FileMarks } from "./file-marks.ts";
import type { FileTokens } from "./token-cache.ts";
import { tokenizeFiles, type TokenizeOptions } from "./tokenize-files.ts";

/** A file with its tokens, and what it takes of the budget. */
export interface MeasuredFile {
  readonly file: ScannedFile;
  readonly tokens: FileTokens;
  /** Blocks that are in: all of them, or as many as anchors can count. */
  readonly blockCount: number;
  /** With its header and anchors, for the widest number that the file can get. */
  readonly tokenCount: number;
}

/**
 * Each file's cost; null for a file that is not what the scan judged any more.
 *
 * @param fileCount how many files there are in all, hence how wide their numbers can be
 */
export async function measureFiles(
  files: readonly ScannedFile[],
  fileCount: number,
  limits: AnchorLimits,
  options: TokenizeOptions,
): Promise<Map<ScannedFile, MeasuredFile | null>> {
  const tokenized = await tokenizeFiles(files, options);
  const marked = files.map((file, index) => ({
    id: Math.min(fileCount, limits.maxFiles) - 1,
    path: file.path,
    blockCount: Math.min(tokenized[index]?.blockLengths.length ?? 0, limits.maxBlocks),
  }));
  const marks = await encodeMarks(options.model, marked);
  return new Map(
    files.map((file, index) => {
      const tokens = tokenized[index];
      const fileMarks = marks[index];
      if (!tokens || fileMarks === undefined) return [file, null];
      const blockCount = fileMarks.anchors.length;
      return [file, { file, tokens, blockCount, tokenCount: costOf(tokens, fileMarks) }];
    }),
  );
}

function costOf({ blockLengths }: FileTokens, { header, anchors }: FileMarks): number {
  let tokenCount = header.length;
  for (const [block, anchor] of anchors.entries()) tokenCount += anchor.length + (blockLengths[block] ?? 0);
  return tokenCount;
}
