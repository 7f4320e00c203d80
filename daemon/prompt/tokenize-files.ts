import { readSourceText, type ScannedFile } from "../repository/index.ts";
import { splitBlocks, splitLines } from "./blocks.ts";
import type { PromptModel } from "./prompt-model.ts";
import { TokenCache, type FileTokens } from "./token-cache.ts";

export interface TokenizeOptions {
  readonly root: string;
  readonly model: PromptModel;
  readonly cache: TokenCache;
  readonly overlays: ReadonlyMap<string, string> | undefined;
}

/** Null: the file is not what the scan judged any more, so its content must not go into a prompt unseen. */
export type TokenizedFile = FileTokens | null;

/** The token ids of each file's text, from the cache where it was met before. */
export async function tokenizeFiles(files: readonly ScannedFile[], options: TokenizeOptions): Promise<TokenizedFile[]> {
  const { root, model, cache, overlays } = options;
  const { tokenizer, profile } = model;
  const results = await Promise.all(
    files.map(async (file): Promise<{ key: string; known?: TokenizedFile; text?: string }> => {
      const key = TokenCache.key(tokenizer.identity, profile.blockLines, file.hash);
      const known = cache.get(key);
      if (known !== undefined) return { key, known };
      const source = await readSourceText(root, file.path, overlays);
      return source?.hash === file.hash ? { key, text: source.text } : { key, known: null };
    }),
  );
  const blocks = results.map(({ text }) => (text === undefined ? [] : splitBlocks(text, profile.blockLines)));
  const encoded = await tokenizer.encodeContents(blocks.flat());
  let at = 0;
  return results.map(({ key, known, text }, index) => {
    if (known !== undefined) return known;
    const count = blocks[index]?.length ?? 0;
    const tokens = joinBlocks(splitLines(text ?? "").length, encoded.slice(at, at + count));
    at += count;
    cache.set(key, tokens);
    return tokens;
  });
}

function joinBlocks(lineCount: number, blocks: readonly Uint32Array[]): FileTokens {
  const blockLengths = Uint32Array.from(blocks, (block) => block.length);
  const ids = new Uint32Array(blockLengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    ids.set(block, at);
    at += block.length;
  }
  return { lineCount, blockLengths, ids };
}
