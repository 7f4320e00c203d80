import { anchorCapacity, encodeAnchor, encodeFileId, type AnchorTokenIds } from "./anchor-tokens.ts";
import type { PromptModel } from "./prompt-model.ts";
import type { PromptTokenizer } from "./tokenizer.ts";

/** What stands around the text of a file. */
export interface FileMarks {
  readonly header: readonly number[] | Uint32Array;
  /** One before each block. */
  readonly anchors: readonly (readonly number[] | Uint32Array)[];
}

export interface MarkedFile {
  readonly id: number;
  readonly path: string;
  readonly blockCount: number;
}

/** Bounds of what a model's anchors can name. */
export interface AnchorLimits {
  readonly maxFiles: number;
  readonly maxBlocks: number;
}

export function anchorLimits({ profile }: PromptModel): AnchorLimits {
  const capacity = profile.dialect === "anchor-tokens" ? anchorCapacity(profile) : Number.MAX_SAFE_INTEGER;
  return { maxFiles: capacity, maxBlocks: capacity };
}

/** The marks of each file, in the model's dialect. */
export async function encodeMarks(model: PromptModel, files: readonly MarkedFile[]): Promise<FileMarks[]> {
  return model.anchors
    ? encodeTokenMarks(model.tokenizer, model.anchors, files)
    : encodeTextMarks(model.tokenizer, model.profile.blockLines, files);
}

/** `<|file|> <|F..|> <|f..|> path <|text|>`, and four digit tokens per anchor. */
async function encodeTokenMarks(
  tokenizer: PromptTokenizer,
  ids: AnchorTokenIds,
  files: readonly MarkedFile[],
): Promise<FileMarks[]> {
  const paths = await tokenizer.encodeContents(files.map(({ path }) => printablePath(path)));
  return files.map(({ id, blockCount }, index) => ({
    header: [ids.file, ...encodeFileId(ids, id), ...(paths[index] ?? []), ids.text],
    anchors: Array.from({ length: blockCount }, (_, block) => encodeAnchor(ids, { fileId: id, block })),
  }));
}

/** `=== [id] path ===`, and `[id:line]` before each block, each a line of its own. */
async function encodeTextMarks(
  tokenizer: PromptTokenizer,
  blockLines: number,
  files: readonly MarkedFile[],
): Promise<FileMarks[]> {
  const texts: string[] = [];
  for (const { id, path, blockCount } of files) {
    texts.push(`=== [${id}] ${printablePath(path)} ===\n`);
    for (let block = 0; block < blockCount; block++) texts.push(`[${id}:${block * blockLines + 1}]\n`);
  }
  const encoded = await tokenizer.encodeContents(texts);
  let at = 0;
  return files.map(({ blockCount }) => {
    const header = encoded[at] ?? new Uint32Array();
    const anchors = encoded.slice(at + 1, at + 1 + blockCount);
    at += 1 + blockCount;
    return { header, anchors };
  });
}

/** A path may hold any character but "/" and zero: one with a line end in it could imitate another file's header. */
function printablePath(path: string): string {
  return path.replace(/\p{Cc}/gu, "?");
}
