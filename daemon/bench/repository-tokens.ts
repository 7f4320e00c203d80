/** A repository as the product packs it, as a file of token ids for the native bench program. */
import { writeFile } from "node:fs/promises";
import { Failure } from "../failure/failure.ts";
import { loadPromptModel, packRepository } from "../prompt/index.ts";
import { scanRepository } from "../repository/index.ts";

/** Writes at least `tokens` ids. Throws `invalid-argument` when the repository has fewer. */
export async function writeRepositoryTokens(
  repository: string,
  model: string,
  tokens: number,
  file: string,
): Promise<void> {
  const scan = await scanRepository(repository);
  // The last file that fits may leave room.
  const pack = await packRepository(scan, await loadPromptModel(model), { budgetTokens: Math.ceil(tokens * 1.5) });
  if (pack.tokens.length < tokens) {
    throw new Failure(
      "invalid-argument",
      `${repository} has ${pack.tokens.length.toLocaleString("en-US")} tokens, and --lengths asks for ` +
        `${tokens.toLocaleString("en-US")}. Name a larger repository with --repo, or shorter lengths.`,
    );
  }
  await writeFile(file, new Uint8Array(pack.tokens.buffer, pack.tokens.byteOffset, 4 * tokens));
}
