/** A conversation as a Markdown document. */
import { codeBlock, markdownText } from "../markdown-text.ts";
import { answerLine } from "./answer-line.ts";
import { answerText, citationsOf, type Turn } from "./turn.ts";

export function conversationMarkdown(repository: string, turns: readonly Turn[]): string {
  return [`# Questions about ${markdownText(repository)}`, ...turns.map(turnMarkdown)].join("\n\n").concat("\n");
}

export function turnMarkdown(turn: Turn): string {
  const { question, state } = turn;
  const answer = answerText(turn);
  const places = citationsOf(turn).map(({ path, line, verified, stale }) => {
    const marks = [...(verified ? [] : ["not verified"]), ...(stale ? ["the file changed since it was read"] : [])];
    return `- [${markdownText(`${path}:${line}`)}](<${linkTarget(path)}#L${line}>)${marks.length > 0 ? ` (${marks.join("; ")})` : ""}`;
  });
  return [
    `## ${markdownText(question)}`,
    ...(answer === "" ? [] : [codeBlock(answer, "text")]),
    ...(state.kind === "stopped" ? ["_Stopped._"] : []),
    ...(state.kind === "failed" ? [`_${markdownText(state.failure.message)}_`] : []),
    ...(places.length > 0 ? [places.join("\n")] : []),
    ...(state.kind === "answered" ? [`_${answerLine(state.record)}_`] : []),
  ].join("\n\n");
}

function linkTarget(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
