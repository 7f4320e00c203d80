import type { PromptProfile } from "./profile.ts";
import type { TemplatePieces } from "./template.ts";
import type { PromptTokenizer } from "./tokenizer.ts";

/** What packing needs of a model folder: its tokenizer files and template, not its weights. */
export interface PromptModel {
  readonly modelDir: string;
  readonly profile: PromptProfile;
  readonly tokenizer: PromptTokenizer;
  readonly pieces: TemplatePieces;
}

export async function loadPromptModel(modelDir: string): Promise<PromptModel> {
  throw new Error(`not yet: ${modelDir}`);
}
