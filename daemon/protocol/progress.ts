/** What `$/progress` carries: work-done progress (LSP's shape with our record added), and pieces of an answer. */

export type Phase = "scanning" | "packing" | "loading" | "queued" | "prefilling" | "answering" | "summarizing";

/** One record in every front end. Counts in tokens (while summarizing: in files), durations in milliseconds. */
export interface ProgressRecord {
  readonly phase: Phase;
  /** Tokens of the whole context; 0 while it is not known. */
  readonly totalTokens: number;
  /** Tokens whose KV was there already. */
  readonly cachedTokens: number;
  /** Tokens done, the cached ones included. */
  readonly processedTokens: number;
  readonly elapsedMs: number;
  /** Of the tokens computed now; 0 while nothing has been measured. */
  readonly tokensPerSecond: number;
  /** From the measured chunks; null while too little has been measured. */
  readonly etaMs: number | null;
  /** Requests that run before this one; only in phase "queued". */
  readonly queuePosition?: number;
}

/** daemon -> client, under `workDoneToken`. LSP's kinds; plain clients show `message` and `percentage`. */
export type WorkDone =
  | { readonly kind: "begin"; readonly title: string; readonly cancellable: true; readonly percentage: 0 }
  | {
      readonly kind: "report";
      readonly message: string;
      readonly percentage: number;
      readonly longsight: ProgressRecord;
    }
  | { readonly kind: "end"; readonly message?: string };

/** daemon -> client, under `partialResultToken`: text that follows what came before. Plain text, no escapes. */
export interface AnswerPiece {
  readonly text: string;
}
