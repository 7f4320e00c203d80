import { Failure, throwIfCancelled } from "../failure/failure.ts";
import { fileClasses, fileWorths, type LeftOut, type RepositoryScan, type ScannedFile } from "../repository/index.ts";
import { anchorLimits } from "./file-marks.ts";
import { measureFiles, type MeasuredFile } from "./measure-files.ts";
import type { PackOptions } from "./pack.ts";
import type { PromptModel } from "./prompt-model.ts";
import { TokenCache } from "./token-cache.ts";

export interface Selection {
  /** What is kept longest first: the order in which files lose their place is the reverse. */
  readonly selected: readonly MeasuredFile[];
  readonly leftOut: readonly LeftOut[];
}

/** A batch keeps all cores busy for some tens of milliseconds: progress and cancellation come in between. */
const batchBytes = 512 << 10;
const batchFiles = 256;
/** Fewer bytes per token than this are rare; a file that would not fit even so is not tokenised to find out. */
const maxBytesPerToken = 10;

/**
 * When not everything fits, a first pack keeps this share of the budget free. Otherwise each edit that adds a line would push
 * a file out, and with it the KV state of all that follows.
 */
const editShare = 0.02;

/**
 * Which files go into the budget: by class (what explains the repository, source, documents, configuration, tests, data), and
 * in each class by what they give for their room (`fileWorths`), where that is nothing the small ones first; before all of
 * them what a person wants in. A file that does not fit is left out, and smaller ones behind it still get their chance. What
 * was in the last pack comes before what was not, so that the prefix holds.
 */
export async function selectFiles(scan: RepositoryScan, model: PromptModel, options: PackOptions): Promise<Selection> {
  const { budgetTokens, signal, onProgress, overlays } = options;
  const cache = options.cache ?? (await TokenCache.open({ directory: null }));
  const limits = anchorLimits(model);
  const held = new Set(options.previous?.files.map((file) => file.path));
  const worths = fileWorths(scan);
  const queue = [...scan.files].sort(
    (a, b) => compareWanted(a, b) || compareHeld(a, b, held) || compareWorth(a, b, worths),
  );
  const totalBytes = queue.reduce((sum, file) => sum + file.sizeBytes, 0);
  const choice = new Choice(budgetTokens, model.pieces.before.length, limits.maxFiles);
  let processedBytes = 0;
  for (const batch of batches(queue)) {
    if (signal) throwIfCancelled(signal);
    const small = batch.filter((file) => file.sizeBytes / maxBytesPerToken <= choice.freeTokens);
    const measured = await measureFiles(small, queue.length, limits, { root: scan.root, model, cache, overlays });
    for (const file of batch) {
      choice.offer(file, measured.get(file));
      processedBytes += file.sizeBytes;
    }
    onProgress?.({ processedBytes, totalBytes, tokens: choice.usedTokens });
  }
  await cache.save();
  if (held.size === 0) choice.keepRoomForEdits();
  if (choice.selected.length === 0) throw nothingFits(scan, choice.leftOut, budgetTokens);
  return choice;
}

/** Takes what fits, in the order in which files are offered, and says of the others why they did not. */
class Choice implements Selection {
  readonly selected: MeasuredFile[] = [];
  readonly leftOut: LeftOut[] = [];
  usedTokens: number;
  readonly #budgetTokens: number;
  readonly #maxFiles: number;

  constructor(budgetTokens: number, openingTokens: number, maxFiles: number) {
    this.#budgetTokens = budgetTokens;
    this.#maxFiles = maxFiles;
    this.usedTokens = openingTokens;
  }

  get freeTokens(): number {
    return this.#budgetTokens - this.usedTokens;
  }

  /** @param measured undefined: not tokenised, being too large by its bytes; null: changed since the scan */
  offer(file: ScannedFile, measured: MeasuredFile | null | undefined): void {
    if (measured === null) {
      this.#leave(file, "unreadable", "it changed while it was read; the next question looks again");
    } else if (measured === undefined) {
      const tokens = Math.ceil(file.sizeBytes / 4);
      this.#leave(file, "budget", `about ${count(tokens)} tokens; ${count(this.freeTokens)} were free`, tokens);
    } else if (measured.tokenCount > this.freeTokens) {
      const detail = `${count(measured.tokenCount)} tokens; ${count(this.freeTokens)} were free`;
      this.#leave(file, "budget", detail, measured.tokenCount);
    } else if (this.selected.length >= this.#maxFiles) {
      this.#leave(file, "budget", `the model's anchors name ${count(this.#maxFiles)} files`, measured.tokenCount);
    } else {
      this.usedTokens += measured.tokenCount;
      this.selected.push(measured);
    }
  }

  keepRoomForEdits(): void {
    if (!this.leftOut.some(({ reason }) => reason === "budget")) return;
    const limit = this.#budgetTokens * (1 - editShare);
    while (this.usedTokens > limit && this.selected.length > 1) {
      const last = this.selected.pop();
      if (last === undefined) return;
      this.usedTokens -= last.tokenCount;
      this.#leave(
        last.file,
        "budget",
        `${count(last.tokenCount)} tokens, which are kept free for edits of other files`,
        last.tokenCount,
      );
    }
  }

  #leave({ path }: ScannedFile, reason: LeftOut["reason"], detail: string, tokens?: number): void {
    this.leftOut.push({ path, reason, detail, fileCount: 1, ...(tokens === undefined ? {} : { tokens }) });
  }
}

function nothingFits(scan: RepositoryScan, leftOut: readonly LeftOut[], budgetTokens: number): Failure {
  if (scan.files.length === 0) {
    const others = scan.leftOut.reduce((total, entry) => total + entry.fileCount, 0);
    const detail = others === 0 ? "it is empty" : `${count(others)} files were left out`;
    return new Failure("empty-repository", `${scan.root} has no text to read: ${detail}.`);
  }
  const [first] = leftOut;
  const detail = first === undefined ? "" : ` The first that did not fit: ${first.path} (${first.detail}).`;
  return new Failure("over-budget", `No file of ${scan.root} fits into ${count(budgetTokens)} tokens.${detail}`);
}

function compareWanted(a: ScannedFile, b: ScannedFile): number {
  return Number(b.wanted) - Number(a.wanted);
}

function compareHeld(a: ScannedFile, b: ScannedFile, held: ReadonlySet<string>): number {
  return Number(held.has(b.path)) - Number(held.has(a.path));
}

function compareWorth(a: ScannedFile, b: ScannedFile, worths: ReadonlyMap<string, number>): number {
  return (
    fileClasses.indexOf(a.fileClass) - fileClasses.indexOf(b.fileClass) ||
    (worths.get(b.path) ?? 0) - (worths.get(a.path) ?? 0) ||
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

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
