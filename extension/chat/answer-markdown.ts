/** An answer as text for chats and models: the places with their checks beside it. */
import type { AskRecord } from "../../daemon/protocol/ask.ts";
import { answerLine } from "../ask/answer-line.ts";

export function answerForModels({ answer, citations, context }: AskRecord): string {
  const places = citations.map(
    ({ path, line, verified, stale }) =>
      `- ${path}:${line} (${verified ? "checked against the file" : "NOT verified"}${stale ? ", the file changed since" : ""})`,
  );
  return [
    answer,
    ...(places.length > 0 ? [`Places:\n${places.join("\n")}`] : []),
    `Read: ${context.files} files, ${context.tokens} tokens; left out: ${context.leftOutCount}.`,
  ].join("\n\n");
}

export function answerFooter(record: AskRecord): string {
  return `\n\n_${answerLine(record)}_`;
}
