/** Asks the product the same questions in each mode, side by side, and keeps what came. */
import type { AskRecord } from "../protocol/ask.ts";
import type { PrefillChoice, PrefillRecord } from "../protocol/prefill.ts";
import type { LongsightService } from "../sessions/service.ts";
import { withFolder } from "./repository-folder.ts";
import type { EvalContext } from "./sample.ts";

export type EvalMode = "dense" | "sparse";

export interface RunOptions {
  readonly service: LongsightService;
  readonly model: string;
  readonly modes: readonly EvalMode[];
  /** Of the sparse runs. */
  readonly choice: Omit<PrefillChoice, "prefill">;
  readonly signal: AbortSignal;
  /** One line per answer, for people who want to see them. */
  readonly trace: (line: string) => void;
}

/** The same question in every mode; the arrays are parallel to `RunOptions.modes`. */
export interface Answered {
  readonly task: string;
  readonly tokens: number;
  readonly depth?: number;
  readonly question: string;
  readonly scores: readonly number[];
  readonly answers: readonly string[];
  readonly prefills: readonly PrefillRecord[];
  readonly prefillMs: readonly number[];
}

/** Tokens of the context beside the repository: question, answer and template. */
export const reservedTokens = 1280;

export async function runContext(context: EvalContext, options: RunOptions): Promise<Answered[]> {
  const { service, model, modes, choice, signal, trace } = options;
  return withFolder(context.files, async (repository) => {
    const records: AskRecord[][] = [];
    for (const mode of modes) {
      const ofMode: AskRecord[] = [];
      for (const { text, maxTokens } of context.questions) {
        ofMode.push(
          await service.ask(
            {
              repository,
              model,
              question: text,
              contextTokens: context.tokens,
              maxTokens,
              prefill: mode,
              ...(mode === "sparse" ? choice : {}),
            },
            { signal, report: () => undefined, documents: new Map(), piece: () => undefined },
          ),
        );
      }
      records.push(ofMode);
      await service.cache({ release: true });
    }
    return context.questions.map((question, index): Answered => {
      const ofQuestion = records.map((ofMode) => recordAt(ofMode, index));
      const answered: Answered = {
        task: context.task,
        tokens: context.tokens,
        ...(context.depth === undefined ? {} : { depth: context.depth }),
        question: question.text,
        scores: ofQuestion.map((record) => question.score(record)),
        answers: ofQuestion.map(({ answer }) => answer),
        prefills: ofQuestion.map(({ prefill }) => prefill),
        prefillMs: records.map((ofMode) => ofMode[0]?.timings.prefillMs ?? 0),
      };
      trace(
        [
          context.task,
          question.text,
          ...answered.answers.map((answer, at) => `${String(answered.scores[at])} ${answer}`),
        ]
          .join(" | ")
          .replaceAll("\n", " "),
      );
      return answered;
    });
  });
}

function recordAt(records: readonly AskRecord[], index: number): AskRecord {
  const record = records[index];
  if (record === undefined) throw new Error("an answer is missing");
  return record;
}
