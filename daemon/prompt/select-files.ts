import { Failure, throwIfCancelled } from "../failure/failure.ts";
import { fileClasses, type LeftOut, type RepositoryScan, type ScannedFile } from "../repository/index.ts";
import { anchorLimits, encodeMarks } from "./file-marks.ts";
import type { PackOptions } from "./pack.ts";
import type { PromptModel } from "./prompt-model.ts";
import { TokenCache, type FileTokens } from "./token-cache.ts";
import { tokenizeFiles } from "./tokenize-files.ts";

export interface SelectedFile {
  readonly file: ScannedFile;
  readonly tokens: FileTokens;
  /** Blocks that are in: all of them, or as many as anchors can count. */
  readonly blockCount: number;
}

export interface Selection {
  /** What is kept longest first: the order in which files lose their place is the reverse. */
  readonly selected: readonly SelectedFile[];
  readonly leftOut: readonly LeftOut[];
}

/** A batch keeps all cores busy for some tens of milliseconds: progress and cancellation come in between. */
const batchBytes = 512 << 10;
const batchFiles = 256;
/** Fewer bytes per token than this are rare; a file that would not fit even so is not tokenised to find out. */
const maxBytesPerToken = 10;

/**
 * Which files go into the budget: by class (what explains the repository, source, documents, configuration, tests, data), and
 * in each class the small ones first, so that most files are whole and in. A file that does not fit is left out, and smaller
 * ones behind it still get their chance.
 */
export async function selectFiles(scan: RepositoryScan, model: PromptModel, options: PackOptions): Promise<Selection> {
  const { budgetTokens, signal, onProgress, overlays } = options;
  const cache = options.cache ?? (await TokenCache.open({ directory: null }));
  const limits = anchorLimits(model);
  const queue = [...scan.files].sort(compareWorth);
  const totalBytes = queue.reduce((sum, file) => sum + file.sizeBytes, 0);
  const selected: SelectedFile[] = [];
  const leftOut: LeftOut[] = [];
  const leave = (file: ScannedFile, reason: LeftOut["reason"], detail: string): void => {
    leftOut.push({ path: file.path, reason, detail, fileCount: 1 });
  };
  let usedTokens = model.pieces.before.length;
  let processedBytes = 0;

  for (const batch of batches(queue)) {
    if (signal) throwIfCancelled(signal);
    const small = batch.filter((file) => file.sizeBytes / maxBytesPerToken <= budgetTokens - usedTokens);
    const tokenized = await tokenizeFiles(small, { root: scan.root, model, cache, overlays });
    const marks = await encodeMarks(
      model,
      small.map((file, index) => ({
        // The widest number that it can get; the pack itself counts with the real ones.
        id: Math.min(queue.length, limits.maxFiles) - 1,
        path: file.path,
        blockCount: Math.min(tokenized[index]?.blockLengths.length ?? 0, limits.maxBlocks),
      })),
    );
    const bySmall = new Map(small.map((file, index) => [file, index]));
    for (const file of batch) {
      processedBytes += file.sizeBytes;
      const freeTokens = budgetTokens - usedTokens;
      const index = bySmall.get(file);
      const tokens = index === undefined ? undefined : tokenized[index];
      const mark = index === undefined ? undefined : marks[index];
      if (tokens === null) {
        leave(file, "unreadable", "it changed while it was read; the next question looks again");
      } else if (tokens === undefined || mark === undefined) {
        leave(file, "budget", `about ${count(file.sizeBytes / 4)} tokens; ${count(freeTokens)} were free`);
      } else {
        const blockCount = mark.anchors.length;
        const textTokens = sum(tokens.blockLengths.subarray(0, blockCount));
        const needed =
          mark.header.length + mark.anchors.reduce((total, anchor) => total + anchor.length, 0) + textTokens;
        if (needed > freeTokens) {
          leave(file, "budget", `${count(needed)} tokens; ${count(freeTokens)} were free`);
        } else if (selected.length >= limits.maxFiles) {
          leave(file, "budget", `the model's anchors name ${count(limits.maxFiles)} files`);
        } else {
          usedTokens += needed;
          selected.push({ file, tokens, blockCount });
        }
      }
    }
    onProgress?.({ processedBytes, totalBytes, tokens: usedTokens });
  }
  await cache.save();
  refuseNothing(scan, selected, leftOut, budgetTokens);
  return { selected, leftOut };
}

function refuseNothing(
  scan: RepositoryScan,
  selected: readonly SelectedFile[],
  leftOut: readonly LeftOut[],
  budgetTokens: number,
): void {
  if (selected.length > 0) return;
  if (scan.files.length === 0) {
    const others = scan.leftOut.reduce((total, entry) => total + entry.fileCount, 0);
    const detail = others === 0 ? "it is empty" : `${count(others)} files were left out`;
    throw new Failure("empty-repository", `${scan.root} has no text to read: ${detail}.`);
  }
  const [first] = leftOut;
  const detail = first === undefined ? "" : ` The first that did not fit: ${first.path} (${first.detail}).`;
  throw new Failure("over-budget", `No file of ${scan.root} fits into ${count(budgetTokens)} tokens.${detail}`);
}

function compareWorth(a: ScannedFile, b: ScannedFile): number {
  return (
    fileClasses.indexOf(a.fileClass) - fileClasses.indexOf(b.fileClass) ||
    a.sizeBytes - b.sizeBytes ||
    (a.path < b.path ? -1 : 1)
  );
}

function* batches(files: readonly ScannedFile[]): Generator<ScannedFile[]> {
  let batch: ScannedFile[] = [];
  let bytes = 0;
  for (const file of files) {
    batch.push(file);
    bytes += file.sizeBytes;
    if (bytes < batchBytes && batch.length < batchFiles) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function sum(values: Uint32Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
