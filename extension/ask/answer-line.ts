/** The line below an answer: what it cost, and how the context was read. */
import type { AskRecord } from "../../daemon/protocol/ask.ts";
import { count, duration, percent, plural } from "../figures.ts";

export function answerLine(record: AskRecord): string {
  return answerFigures(record).join(" · ");
}

/** The line's figures; a narrow page breaks between them only. */
export function answerFigures({ timings, mode, prefill, stopReason }: AskRecord): readonly string[] {
  const { firstTokenMs, cachedTokens, promptTokens, prefillMs, tokensPerSecond } = timings;
  const how =
    mode === "dense"
      ? "dense prefill"
      : `sparse prefill, recall ${percent(prefill.recall.mean, 0)} (least ${percent(prefill.recall.least, 0)})`;
  return [
    `first token ${duration(firstTokenMs)}`,
    ...(tokensPerSecond > 0 ? [`${count(tokensPerSecond)} tokens/s`] : []),
    `${count(cachedTokens)} of ${count(promptTokens)} tokens reused`,
    ...(prefillMs > 0 ? [`read in ${duration(prefillMs)}`] : []),
    how,
    ...(stopReason === "max-tokens" ? ["cut off at the longest answer"] : []),
  ];
}

/** What an answer cannot speak for; empty when everything was read. */
export function unreadText(files: number): string {
  return files === 0
    ? ""
    : `${plural(files, "file")} did not fit and had no say. Leave folders out in Context, or raise longsight.contextTokens.`;
}

export function unreadFiles({ context }: AskRecord): number {
  return context.leftOut
    .filter(({ reason }) => reason === "budget" || reason === "truncated")
    .reduce((sum, { fileCount }) => sum + fileCount, 0);
}
