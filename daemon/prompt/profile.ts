/** How a model wants its repository: which dialect, and with which constants. */
import { Failure } from "../failure/failure.ts";
import { parseModelJson, readModelFile, type JsonObject } from "./model-files.ts";

/**
 * - `anchor-tokens`: files, blocks and citations are marked by special tokens that the model was trained on
 * - `text-anchors`: the same marks written as text, for any chat model
 */
export type Dialect = "anchor-tokens" | "text-anchors";

/** What longsight.json in a model folder says; without that file, the values for any chat model. */
export interface PromptProfile {
  readonly dialect: Dialect;
  /** The context that the model's makers advise, in tokens; absent when the folder does not say. */
  readonly defaultContextTokens?: number;
  /** Lines from one anchor to the next. */
  readonly blockLines: number;
  /** Radix of the two digits of a file id and of a block number; `anchor-tokens` only. */
  readonly digits: number;
  /** The answer for "it is not there"; absent when the model says so in words. */
  readonly absentToken?: string;
  /** Whether earlier questions and answers may stand before the next question. */
  readonly history: boolean;
}

const fileName = "longsight.json";

export const chatProfile: PromptProfile = { dialect: "text-anchors", blockLines: 8, digits: 128, history: true };

export async function readProfile(modelDir: string): Promise<PromptProfile> {
  const text = await readModelFile(modelDir, fileName);
  return text === null ? chatProfile : checkProfile(modelDir, parseModelJson(modelDir, fileName, text));
}

function checkProfile(modelDir: string, json: JsonObject): PromptProfile {
  const invalid = (what: string): Failure =>
    new Failure("model-file-invalid", `${fileName} in ${modelDir} is not one that this version reads: ${what}.`);
  const integer = (name: string, min: number, max: number, missing: number): number => {
    const value = json[name] ?? missing;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    throw invalid(`"${name}" must be a whole number from ${min} to ${max}`);
  };
  if (json["format"] !== 1) throw invalid('"format" must be 1');
  const dialect = json["dialect"];
  if (dialect !== "anchor-tokens" && dialect !== "text-anchors") {
    throw invalid('"dialect" must be "anchor-tokens" or "text-anchors"');
  }
  const { absentToken, history } = json;
  if (absentToken !== undefined && typeof absentToken !== "string") throw invalid('"absentToken" must be a string');
  if (history !== undefined && typeof history !== "boolean") throw invalid('"history" must be true or false');
  return {
    dialect,
    blockLines: integer("blockLines", 1, 1024, chatProfile.blockLines),
    digits: integer("digits", 2, 4096, chatProfile.digits),
    history: history ?? dialect === "text-anchors",
    ...(absentToken === undefined ? {} : { absentToken }),
    ...(json["defaultContextTokens"] === undefined
      ? {}
      : { defaultContextTokens: integer("defaultContextTokens", 1024, 1 << 24, 0) }),
  };
}
