import { stat } from "node:fs/promises";
import { Failure } from "../failure/failure.ts";
import { textInstructions } from "./instructions.ts";
import { anchorTokenIds, type AnchorTokenIds } from "./anchor-tokens.ts";
import { readProfile, type PromptProfile } from "./profile.ts";
import { ChatTemplate, type TemplatePieces } from "./template.ts";
import { loadTokenizer, type PromptTokenizer } from "./tokenizer.ts";

/** What packing needs of a model folder: its tokenizer files and template, not its weights. */
export interface PromptModel {
  readonly modelDir: string;
  readonly profile: PromptProfile;
  readonly tokenizer: PromptTokenizer;
  readonly template: ChatTemplate;
  readonly pieces: TemplatePieces;
  /** Ids of the marks of dialect `anchor-tokens`; null in the other one. */
  readonly anchors: AnchorTokenIds | null;
}

/**
 * @throws Failure `no-such-folder`; `model-file-missing`, `model-file-invalid`, `model-unsupported` with the file's name and
 * what is wrong with it
 */
export async function loadPromptModel(modelDir: string): Promise<PromptModel> {
  const folder = await stat(modelDir).catch(() => null);
  if (!folder?.isDirectory()) throw new Failure("model-file-missing", `There is no model folder ${modelDir}.`);
  const [profile, tokenizer, template] = await Promise.all([
    readProfile(modelDir),
    loadTokenizer(modelDir),
    ChatTemplate.load(modelDir),
  ]);
  const anchors = profile.dialect === "anchor-tokens" ? anchorTokenIds(modelDir, tokenizer, profile) : null;
  const [before, between, after] = template.pieces();
  const [beforeIds, betweenIds, afterIds] = await Promise.all([
    tokenizer.encodeTemplate(before),
    tokenizer.encodeTemplate(between),
    tokenizer.encodeTemplate(after),
  ]);
  const [instructions = new Uint32Array()] = anchors ? [] : await tokenizer.encodeContents([textInstructions]);
  const pieces = { before: [...beforeIds, ...instructions], between: betweenIds, after: afterIds };
  return { modelDir, profile, tokenizer, template, pieces, anchors };
}
