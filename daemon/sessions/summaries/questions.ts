/** What a model is asked for a summary. A change here needs another `format` in kept-summaries.ts. */
import type { PromptModel } from "../../prompt/index.ts";
import { mainName } from "./main-name.ts";
import type { TreeNode } from "./tree.ts";

/** An answer of a model that quotes is one line behind an anchor, or a few. */
const quoteTokens = 96;
const proseTokens = 384;

export interface SummaryQuestion {
  readonly text: string;
  readonly maxTokens: number;
}

/**
 * In the order in which they are asked, until one gets a telling answer. None for what is composed from other summaries: a
 * model that quotes has nothing to say about a folder.
 *
 * @param lines of the file
 */
export function questionsAbout(
  model: PromptModel,
  { kind, path }: TreeNode,
  lines: readonly string[],
): SummaryQuestion[] {
  if (canOnlyQuote(model)) {
    if (kind !== "file") return [];
    const name = mainName(path, lines);
    const ways = [`What is ${path} for?`, ...(name === null ? [] : [`What does ${name} do?`])];
    return ways.map((text) => ({ text, maxTokens: quoteTokens }));
  }
  switch (kind) {
    case "file":
      return [prose(`What is the file ${path} for? Answer in one to three short sentences.`)];
    case "folder":
      return [
        prose(
          `What is the folder ${path} for, and what does each part of it do? Answer in at most six short sentences.`,
        ),
      ];
    case "repository":
      return [
        prose("What is this repository for, and what are its main parts? Answer in at most eight short sentences."),
      ];
  }
}

/** Models of our own are trained to cite and to quote, and not to write. */
export function canOnlyQuote({ profile }: PromptModel): boolean {
  return profile.dialect === "anchor-tokens";
}

function prose(text: string): SummaryQuestion {
  return { text: `${text} Cite a place after each sentence.`, maxTokens: proseTokens };
}
