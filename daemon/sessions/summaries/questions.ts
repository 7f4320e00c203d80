/** What a model is asked for a summary. A change here needs another `format` in kept-summaries.ts. */
import type { PromptModel } from "../../prompt/index.ts";
import type { TreeNode } from "./tree.ts";

/** An answer of a model that quotes is one line behind an anchor, or a few. */
const quoteTokens = 96;
const proseTokens = 384;

export interface SummaryQuestion {
  readonly text: string;
  readonly maxTokens: number;
}

/** Null for what is composed from other summaries: a model that quotes has nothing to say about a folder. */
export function questionAbout(model: PromptModel, { kind, path }: TreeNode): SummaryQuestion | null {
  if (canOnlyQuote(model)) return kind === "file" ? { text: `What is ${path} for?`, maxTokens: quoteTokens } : null;
  switch (kind) {
    case "file":
      return prose(`What is the file ${path} for? Answer in one to three short sentences.`);
    case "folder":
      return prose(
        `What is the folder ${path} for, and what does each part of it do? Answer in at most six short sentences.`,
      );
    case "repository":
      return prose(
        "What is this repository for, and what are its main parts? Answer in at most eight short sentences.",
      );
  }
}

/** Models of our own are trained to cite and to quote, and not to write. */
export function canOnlyQuote({ profile }: PromptModel): boolean {
  return profile.dialect === "anchor-tokens";
}

function prose(text: string): SummaryQuestion {
  return { text: `${text} Cite a place after each sentence.`, maxTokens: proseTokens };
}
