/** What an evaluation asks: contexts of a chosen length, questions about them, and how an answer is scored. */
import type { AskRecord } from "../protocol/ask.ts";

export interface TextFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly text: string;
}

export type Score = (record: AskRecord) => number;

export interface EvalQuestion {
  readonly text: string;
  /** 0 to 1. */
  readonly score: Score;
  readonly maxTokens: number;
}

/** One repository and the questions about it; every mode is asked the same. */
export interface EvalContext {
  readonly task: string;
  /** Length that was wanted; the context is somewhat shorter. */
  readonly tokens: number;
  readonly files: readonly TextFile[];
  readonly questions: readonly EvalQuestion[];
  /** Where the needle lies, 0 to 1; for grids. */
  readonly depth?: number;
}

/** RULER's "string_match_all": the share of the expected strings that stand in the answer, whatever their case. */
export function containsAll(expected: readonly string[]): Score {
  return ({ answer }) => {
    const text = answer.toLowerCase();
    return expected.filter((string) => text.includes(string.toLowerCase())).length / expected.length;
  };
}

/** RULER's "string_match_part": 1 when any of the expected strings stands in the answer. */
export function containsAny(expected: readonly string[]): Score {
  return ({ answer }) => {
    const text = answer.toLowerCase();
    return expected.some((string) => text.includes(string.toLowerCase())) ? 1 : 0;
  };
}

/** The number stands in the answer as a word of its own. */
export function containsNumber(expected: number): Score {
  return ({ answer }) => (new RegExp(`(?<![\\w.])${String(expected)}(?![\\w.])`).test(answer) ? 1 : 0);
}

/** The first place that the answer cites. */
export function cites(path: string, line: number): Score {
  return ({ citations: [first] }) => (first?.path === path && first.line === line ? 1 : 0);
}

export const citesNothing: Score = ({ citations }) => (citations.length === 0 ? 1 : 0);
/** A near miss may be cited when the daemon marks the citation. */
export const citesNothingVerified: Score = ({ citations: [first] }) => (first?.verified === true ? 0 : 1);
