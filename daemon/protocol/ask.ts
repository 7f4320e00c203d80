/** The question and its answer. */
import type { ContextSummary, Target } from "./context.ts";
import type { Evidence } from "./evidence.ts";
import type { MessageDeclaration, ProgressToken } from "./message.ts";
import type { PrefilledMode, PrefillRecord } from "./prefill.ts";

/**
 * client -> daemon: answer a question from the whole repository. Progress goes to `workDoneToken` (WorkDone), the
 * answer's text as it comes to `partialResultToken` (AnswerPiece); the response has the whole record in either case.
 */
export const askRequest = {
  method: "longsight/ask",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export interface AskParams extends Target {
  readonly question: string;
  /** Tokens of the answer at most; default 512. */
  readonly maxTokens?: number;
  /** 0, the default, is greedy. */
  readonly temperature?: number;
  /** For temperatures above 0; the same seed gives the same answer. */
  readonly seed?: number;
  /** Questions with the same id follow one another, where the model can use it; any string, chosen by the client. */
  readonly conversation?: string;
  /** Default false: whether the record tells where the attention of the answer lay. */
  readonly evidence?: boolean;
  readonly workDoneToken?: ProgressToken;
  readonly partialResultToken?: ProgressToken;
}

export interface Citation {
  /** Relative to the repository's root, with `/`. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** The quoted text stands on that line of the file as it is now. */
  readonly verified: boolean;
  /** The file changed after it was read into the context. */
  readonly stale: boolean;
  /** What the model quoted; empty when it quoted nothing. */
  readonly quote: string;
}

export interface Timings {
  /** Tokens of context, question and template. */
  readonly promptTokens: number;
  /** Those of them whose KV was there already. */
  readonly cachedTokens: number;
  /** Time spent to compute the repository's KV for this question; 0 when it was there. */
  readonly prefillMs: number;
  /** From the request's arrival to the answer's first token: scan, queue and prefill included. */
  readonly firstTokenMs: number;
  /** Of the answer, after its first token; 0 for answers of one token. */
  readonly tokensPerSecond: number;
}

/** What `longsight ask --json` prints, too. */
export interface AskRecord {
  readonly answer: string;
  readonly citations: readonly Citation[];
  readonly context: ContextSummary;
  readonly timings: Timings;
  /** Peak resident bytes of the engine's process. */
  readonly peakMemoryBytes: number;
  /** How the context was prefilled. The question and the answer attend to all of it, whatever the mode. */
  readonly mode: PrefilledMode;
  readonly prefill: PrefillRecord;
  /** Only when it was asked for, and null where the engine cannot tell. */
  readonly evidence?: Evidence | null;
  readonly stopReason: "end-token" | "max-tokens";
  /** The model folder. */
  readonly model: string;
}
