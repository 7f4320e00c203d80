import { AnchorTokenAnswer } from "./anchor-token-answer.ts";
import { CitationChecker, type Citation } from "./citation-checker.ts";
import type { PackedRepository } from "./packed-repository.ts";
import type { PromptModel } from "./prompt-model.ts";
import { TextAnchorAnswer } from "./text-anchor-answer.ts";

export type { Citation } from "./citation-checker.ts";

export interface ResolvedAnswer {
  /** Plain text: no control characters, no escapes; equal to all the pieces that `onText` got. */
  readonly text: string;
  readonly citations: readonly Citation[];
  /** The model said that the context does not hold what was asked. */
  readonly absent: boolean;
}

export interface AnswerOptions {
  readonly model: PromptModel;
  readonly pack: PackedRepository;
  readonly question: string;
  /** Unsaved buffers of an editor: relative path to text. */
  readonly overlays?: ReadonlyMap<string, string>;
  /** Gets the text in order, as soon as it can be shown. */
  readonly onText: (text: string) => void;
}

export interface AnswerReader {
  /** Takes the next generated id; end tokens may be given or not. Never throws, never waits. */
  push(tokenId: number): void;
  /** After the last id: waits until all is shown and checked. */
  finish(): Promise<ResolvedAnswer>;
}

/** Reads generated ids as an answer with citations that are checked against the files as they are now. */
export function openAnswer({ model, pack, question, overlays, onText }: AnswerOptions): AnswerReader {
  const checker = new CitationChecker(pack, question, overlays);
  const { tokenizer, anchors, profile } = model;
  return anchors
    ? new AnchorTokenAnswer({ tokenizer, anchors, blockLines: profile.blockLines, checker, onText })
    : new TextAnchorAnswer({ tokenizer, blockLines: profile.blockLines, checker, onText });
}
