/** Summaries of a repository, bottom-up: what each file, each folder and the whole is for, every statement with its place. */
import type { Citation } from "./ask.ts";
import type { ContextSummary, Target } from "./context.ts";
import type { MessageDeclaration, ProgressToken } from "./message.ts";

/**
 * client -> daemon: summarise, on the KV that questions use. Each node goes to `partialResultToken` (SummaryPiece) as soon as
 * it is finished, files before their folder; the response has all of them. What was finished before a cancellation, a failure or
 * the daemon's end is kept by content, and is not asked again.
 */
export const summarizeRequest = {
  method: "longsight/summarize",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export interface SummarizeParams extends Target {
  /** A file or folder of the context, relative to the root; default: everything. */
  readonly path?: string;
  /** Gives what is kept, and asks the model nothing: no engine is started. */
  readonly keptOnly?: boolean;
  /** Asks everything again, also what is kept. */
  readonly again?: boolean;
  readonly workDoneToken?: ProgressToken;
  readonly partialResultToken?: ProgressToken;
}

/** One thing that a summary says. Plain text. */
export interface SummaryStatement {
  readonly text: string;
  /** Where it stands; empty when the model named no place. */
  readonly citations: readonly Citation[];
}

export interface SummaryNode {
  /** Relative to the root: a file; a folder, with `/` at its end; or "" for the repository. */
  readonly path: string;
  readonly kind: "file" | "folder" | "repository";
  /** Empty when the model had nothing to say about it. */
  readonly statements: readonly SummaryStatement[];
  /** It was kept from an earlier request. */
  readonly kept: boolean;
  /** Files in or below it that have a summary, of those that are in the context. */
  readonly coverage: SummaryCoverage;
}

export interface SummaryCoverage {
  readonly summarized: number;
  readonly files: number;
}

/** daemon -> client, under `partialResultToken`. */
export interface SummaryPiece {
  readonly node: SummaryNode;
  /** Of the whole request, so far. */
  readonly coverage: SummaryCoverage;
}

export interface SummarizeResult {
  /** The root, absolute, links resolved. */
  readonly repository: string;
  /** The model folder. */
  readonly model: string;
  /** Outermost first: a node stands before those below it, which follow in the order of their paths. */
  readonly nodes: readonly SummaryNode[];
  readonly coverage: SummaryCoverage;
  /** The same as one document, citations as links relative to the root. */
  readonly markdown: string;
  readonly context: ContextSummary;
}
