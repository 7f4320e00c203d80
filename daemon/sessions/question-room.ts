/** Is there room for a question and its answer beside the repository? */
import { Failure } from "../failure/failure.ts";
import { reservedAnswerTokens } from "./session.ts";

/** An answer that is cut shorter than this is no answer. */
const minAnswerTokens = 16;

export interface QuestionRoom {
  readonly contextTokens: number;
  /** Tokens of the packed repository, or of the template alone while it is not packed yet. */
  readonly repositoryTokens: number;
  readonly questionTokens: number;
  /** What the client asked for. */
  readonly maxTokens: number | undefined;
}

/** How many tokens the answer may have. Throws `question-too-long` with the figures. */
export function answerRoom(room: QuestionRoom): number {
  const { contextTokens, repositoryTokens, questionTokens, maxTokens = reservedAnswerTokens } = room;
  const free = contextTokens - repositoryTokens - questionTokens;
  if (free < minAnswerTokens) {
    const count = (tokens: number): string => tokens.toLocaleString("en-US");
    throw new Failure(
      "question-too-long",
      `The question has ${count(questionTokens)} tokens; of a context of ${count(contextTokens)}, ` +
        `${count(Math.max(0, contextTokens - repositoryTokens - minAnswerTokens))} are left for it.`,
    );
  }
  return Math.min(maxTokens, free);
}
