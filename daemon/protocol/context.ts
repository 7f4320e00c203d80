/** A repository's context: what went in, what did not, and the request that makes it ready ahead of a question. */
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
}

/** Which repository and model a request means, and how the context is made. */
export interface Target extends PrefillChoice {
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
