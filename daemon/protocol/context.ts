/** A repository's context: what went in, what did not, what changed, and the request that makes it ready ahead of a question. */
import type { MessageDeclaration, ProgressToken } from "./message.ts";
import type { PrefillChoice, PrefilledMode, PrefillRecord } from "./prefill.ts";

/**
 * A file, or a folder (its path ends with `/`), that is not in the context. `reason` is one word: excluded, binary, too-large,
 * generated, vendored, secret, link, not-a-file, submodule, unreadable, invalid-utf8, budget, or truncated (the rest of a
 * file that is too long to number).
 */
export interface LeftOut {
  readonly path: string;
  readonly reason: string;
  /** One phrase for people. */
  readonly detail: string;
  /** Files that the entry stands for: 1, or more for a folder. */
  readonly fileCount: number;
  /** About how many tokens it would take; absent where nothing was read. */
  readonly tokens?: number;
}

export interface ContextSummary {
  /** Files in the context. */
  readonly files: number;
  /** Tokens of the context, template pieces included. */
  readonly tokens: number;
  /** At most `maxLeftOutListed` entries. */
  readonly leftOut: readonly LeftOut[];
  readonly leftOutCount: number;
  /** Files that were added, edited or removed since the KV was last used. */
  readonly changedFiles: number;
  /** Files whose text is that of an editor's unsaved buffer. */
  readonly unsavedFiles: number;
}

/**
 * What a person took out of the context or wants in. Paths relative to the repository's root, with `/`; a folder stands for
 * all that is below it, with or without a `/` at its end. Where both name a path, the longer entry decides; of two equal ones
 * `exclude`. Part of what the context is: another choice is another context.
 */
export interface FileChoice {
  /** Left out, with reason `excluded`. */
  readonly exclude?: readonly string[];
  /**
   * In, although it is generated or vendored, and before all others when the budget is short. Never a secret, a file that an
   * ignore file names, a binary one, or one outside the root.
   */
  readonly include?: readonly string[];
}

/** Which repository and model a request means, and how the context is made. */
export interface Target extends PrefillChoice, FileChoice {
  /** Absolute path; default: the root that `initialize` named. */
  readonly repository?: string;
  /** Absolute path of a model folder; default: the daemon's default model. */
  readonly model?: string;
  /** Tokens of repository + question + answer; default: the model's advice. */
  readonly contextTokens?: number;
}

/** client -> daemon: read the repository and prefill its KV now, so that the first question finds it there. */
export const openRequest = {
  method: "longsight/open",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export interface OpenParams extends Target {
  readonly workDoneToken?: ProgressToken;
}

export interface OpenResult {
  readonly context: ContextSummary;
  readonly cachedTokens: number;
  readonly prefillMs: number;
  readonly mode: PrefilledMode;
  readonly prefill: PrefillRecord;
}

/** client -> daemon: the context in full, as the next question would get it: scanned, ordered and packed, nothing computed. */
export const contextRequest = {
  method: "longsight/context",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export interface ContextParams extends Target {
  readonly workDoneToken?: ProgressToken;
}

/** A file in the context. */
export interface ContextFile {
  /** Relative to the repository's root, with `/`. */
  readonly path: string;
  /** With its header and anchors. */
  readonly tokens: number;
  /** Lines that are in. */
  readonly lines: number;
  readonly sizeBytes: number;
  /** Its text is that of an editor's unsaved buffer. */
  readonly unsaved: boolean;
}

/** Tokens. contextTokens = reservedTokens + repositoryTokens; repositoryTokens = usedTokens + freeTokens. */
export interface ContextBudget {
  /** Repository, question and answer together. */
  readonly contextTokens: number;
  /** Kept free for a question and its answer. */
  readonly reservedTokens: number;
  /** What the repository may take. */
  readonly repositoryTokens: number;
  /** What it takes, template pieces included. */
  readonly usedTokens: number;
  readonly freeTokens: number;
  /** Of `usedTokens`, those whose KV is held: a prefill computes the rest. */
  readonly heldTokens: number;
}

export interface ContextResult {
  /** The root, absolute, links resolved. */
  readonly repository: string;
  /** The model folder. */
  readonly model: string;
  /** In the order of the prompt: what changes rarely first. */
  readonly files: readonly ContextFile[];
  readonly leftOut: readonly LeftOut[];
  readonly leftOutCount: number;
  readonly budget: ContextBudget;
  readonly changes: ContextChanges;
}

/** client -> daemon: what became different since the KV that is held was computed. Lists and compares; nothing is tokenised. */
export const changesRequest = {
  method: "longsight/changes",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export type ChangesParams = Target;

export interface ContextChange {
  readonly path: string;
  readonly change: "added" | "edited" | "removed";
}

/** How stale the held KV is. A file that was left out and still would be does not count. */
export interface ContextChanges {
  /** Whether KV of this context is held at all; when not, nothing can be stale. */
  readonly held: boolean;
  /** At most `maxChangesListed`, in the order of their paths. */
  readonly files: readonly ContextChange[];
  readonly count: number;
}
