/** A question and what has become of it: what the page of the Ask view draws and what is exported. */
import type { AskRecord, Citation } from "../../daemon/protocol/ask.ts";
import type { ProgressRecord } from "../../daemon/protocol/progress.ts";
import type { UserFailure } from "../daemon/failures.ts";

export type TurnState =
  | { readonly kind: "running"; readonly text: string; readonly progress: ProgressRecord | null }
  | {
      readonly kind: "answered";
      /** Slim. */
      readonly record: AskRecord;
      /** Files that did not fit into the context: the answer cannot speak for them. */
      readonly unreadFiles: number;
      readonly followUps: readonly string[];
    }
  /** A person stopped it; `text` is what had come. */
  | { readonly kind: "stopped"; readonly text: string }
  | { readonly kind: "failed"; readonly text: string; readonly failure: UserFailure };

export interface Turn {
  /** Grows; never used twice in a window. */
  readonly id: number;
  readonly question: string;
  readonly state: TurnState;
}

/** A record for the page and for keeping: without the lists that nobody draws there, which a large repository makes long. */
export function slim(record: AskRecord): AskRecord {
  return { ...record, context: { ...record.context, leftOut: [] }, evidence: null };
}

export function answerText({ state }: Turn): string {
  return state.kind === "answered" ? state.record.answer : state.text;
}

export function citationsOf({ state }: Turn): readonly Citation[] {
  return state.kind === "answered" ? state.record.citations : [];
}
