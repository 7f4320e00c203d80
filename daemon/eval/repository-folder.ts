/** Contexts as folders on disk: an evaluation asks the product, and the product reads folders. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { packRepository, type PromptModel } from "../prompt/index.ts";
import { scanRepository } from "../repository/index.ts";
import type { TextFile } from "./sample.ts";

/** Runs `work` with a new folder that holds the files, and removes it. */
export async function withFolder<Result>(
  files: readonly TextFile[],
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "longsight-eval-"));
  try {
    for (const file of files) {
      const target = path.join(folder, file.path);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, file.text);
    }
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Tokens of the files as the product packs them, whatever the budget. */
async function countTokens(files: readonly TextFile[], model: PromptModel): Promise<number> {
  return withFolder(files, async (folder) => {
    const scan = await scanRepository(folder);
    const { tokens } = await packRepository(scan, model, { budgetTokens: Number.MAX_SAFE_INTEGER });
    return tokens.length;
  });
}

const attempts = 8;
const least = 0.9;

/**
 * The files of `make(size)`, for the size that fills `tokens` to nine tenths or more; `make` must give the same for the same
 * size. Less only when one more unit would be too much.
 */
export async function fitTo<Made extends { readonly files: readonly TextFile[] }>(
  tokens: number,
  model: PromptModel,
  make: (size: number) => Made,
): Promise<Made> {
  let size = Math.max(1, Math.floor(tokens / 32));
  let best: Made | null = null;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const made = make(size);
    const measured = await countTokens(made.files, model);
    if (measured <= tokens) {
      best = made;
      if (measured >= least * tokens) return made;
    }
    const next = Math.max(1, Math.floor((size * 0.96 * tokens) / measured));
    if (next === size) break;
    size = next;
  }
  if (best === null) throw new Error(`nothing of this task fits into ${String(tokens)} tokens`);
  return best;
}
