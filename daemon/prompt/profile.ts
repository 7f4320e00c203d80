/** How a model wants its repository: which dialect, and with which constants. */

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
