import { createHash } from "node:crypto";
import { throwIfCancelled } from "../failure/failure.ts";
import { orderFiles, type LeftOut, type RepositoryScan } from "../repository/index.ts";
import { encodeMarks, type FileMarks } from "./file-marks.ts";
import type { PackedFile, PackedRepository } from "./packed-repository.ts";
import type { PromptModel } from "./prompt-model.ts";
import type { MeasuredFile } from "./measure-files.ts";
import { selectFiles } from "./select-files.ts";
import type { TokenCache } from "./token-cache.ts";

export interface PackProgress {
  readonly processedBytes: number;
  readonly totalBytes: number;
  /** Tokens that are in so far. */
  readonly tokens: number;
}

export interface PackOptions {
  /** Tokens that the pack may have, the template's opening included: the context less question and answer. */
  readonly budgetTokens: number;
  /** The last pack of the same repository for the same model: as much of its prefix as possible is kept. */
  readonly previous?: PackedRepository;
  readonly cache?: TokenCache;
  readonly overlays?: ReadonlyMap<string, string>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PackProgress) => void;
}

/**
 * Turns a scanned repository into the tokens that are prefilled: the template's opening, then each file's header and its
 * blocks of lines with their anchors. A file's tokens depend on its text, its path and its number alone.
 *
 * @throws Failure `empty-repository` when there is no file, `over-budget` when none fits, `cancelled`
 */
export async function packRepository(
  scan: RepositoryScan,
  model: PromptModel,
  options: PackOptions,
): Promise<PackedRepository> {
  const { budgetTokens, previous, signal } = options;
  const { selected, leftOut } = await selectFiles(scan, model, options);
  const dropped: LeftOut[] = [];
  for (let kept = selected; ;) {
    if (signal) throwIfCancelled(signal);
    const ordered = orderSelected(scan, kept, previous);
    const marks = await encodeMarks(
      model,
      ordered.map(({ file, blockCount }, id) => ({ id, path: file.path, blockCount })),
    );
    const packed = assemble(model, ordered, marks);
    const last = kept.at(-1);
    // Numbers written as text may take a few tokens more than the selection counted with.
    if (packed.tokens.length > budgetTokens && last !== undefined && kept.length > 1) {
      dropped.push({
        path: last.file.path,
        reason: "budget",
        detail: "the last that fitted, less anchors",
        fileCount: 1,
        tokens: last.tokenCount,
      });
      kept = kept.slice(0, -1);
      continue;
    }
    return {
      root: scan.root,
      dialect: model.profile.dialect,
      blockLines: model.profile.blockLines,
      ...packed,
      leftOut: [...scan.leftOut, ...leftOut, ...dropped],
      truncated: truncatedFiles(model, ordered),
      budgetTokens,
      identity: packIdentity(model, packed.tokens),
    };
  }
}

function orderSelected(
  scan: RepositoryScan,
  kept: readonly MeasuredFile[],
  previous: PackedRepository | undefined,
): MeasuredFile[] {
  const byPath = new Map(kept.map((entry) => [entry.file.path, entry]));
  const files = orderFiles(
    scan.files.filter(({ path }) => byPath.has(path)),
    previous?.files,
  );
  return files.map(({ path }) => byPath.get(path)).filter((entry) => entry !== undefined);
}

function assemble(
  model: PromptModel,
  ordered: readonly MeasuredFile[],
  marks: readonly FileMarks[],
): { tokens: Uint32Array; files: PackedFile[] } {
  const tokens = new TokenBuffer();
  tokens.append(model.pieces.before);
  const files = ordered.map(({ file, tokens: text, blockCount }, id): PackedFile => {
    const firstToken = tokens.length;
    const { header = [], anchors = [] } = marks[id] ?? {};
    tokens.append(header);
    const blockEnds = new Uint32Array(blockCount);
    let at = 0;
    for (let block = 0; block < blockCount; block++) {
      const end = at + (text.blockLengths[block] ?? 0);
      tokens.append(anchors[block] ?? []);
      tokens.append(text.ids.subarray(at, end));
      at = end;
      blockEnds[block] = tokens.length;
    }
    const { path, hash, sizeBytes } = file;
    const lineCount = Math.min(text.lineCount, blockCount * model.profile.blockLines);
    return { id, path, hash, sizeBytes, lineCount, firstToken, tokenCount: tokens.length - firstToken, blockEnds };
  });
  return { tokens: tokens.take(), files };
}

/** Grows by doubling. */
class TokenBuffer {
  #values = new Uint32Array(1 << 16);
  length = 0;

  append(ids: readonly number[] | Uint32Array): void {
    const needed = this.length + ids.length;
    if (needed > this.#values.length) {
      const larger = new Uint32Array(Math.max(needed, this.#values.length * 2));
      larger.set(this.#values.subarray(0, this.length));
      this.#values = larger;
    }
    this.#values.set(ids, this.length);
    this.length = needed;
  }

  take(): Uint32Array {
    return this.#values.slice(0, this.length);
  }
}

function truncatedFiles(model: PromptModel, ordered: readonly MeasuredFile[]): PackedRepository["truncated"] {
  return ordered
    .filter(({ tokens, blockCount }) => blockCount < tokens.blockLengths.length)
    .map(({ file, blockCount }) => ({ path: file.path, lastLine: blockCount * model.profile.blockLines }));
}

function packIdentity(model: PromptModel, tokens: Uint32Array): string {
  const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  return createHash("sha256").update(model.tokenizer.identity).update(bytes).digest("hex");
}
