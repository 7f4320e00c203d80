import type { PackedRepository } from "./packed-repository.ts";
import type { PromptModel } from "./prompt-model.ts";

export interface Citation {
  readonly path: string;
  /** From 1; in the file as it is now when `verified`, else as it was packed. */
  readonly line: number;
  /** The quoted text (or the name that was asked for) stands on that line of the file as it is now. */
  readonly verified: boolean;
  /** The file has changed since it was packed. */
  readonly stale: boolean;
  /** What the model quoted; empty when it quoted nothing. */
  readonly quote: string;
}

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

export function openAnswer(options: AnswerOptions): AnswerReader {
  throw new Error(`not yet: ${options.question}`);
}
