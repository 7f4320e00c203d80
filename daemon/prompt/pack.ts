import type { RepositoryScan } from "../repository/index.ts";
import type { PackedRepository } from "./packed-repository.ts";
import type { PromptModel } from "./prompt-model.ts";
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

/** @throws Failure `over-budget` when not even one file fits, `empty-repository` when there is none. */
export async function packRepository(
  scan: RepositoryScan,
  model: PromptModel,
  options: PackOptions,
): Promise<PackedRepository> {
  throw new Error(`not yet: ${scan.root} ${model.modelDir} ${options.budgetTokens}`);
}
