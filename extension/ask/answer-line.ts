/** The line below an answer: what it cost, and how the context was read. */
import type { AskRecord } from "../../daemon/protocol/ask.ts";
import { count, duration, percent, plural } from "../figures.ts";

export function answerLine({ timings, mode, prefill, stopReason }: AskRecord): string {
  const { firstTokenMs, cachedTokens, promptTokens, prefillMs, tokensPerSecond } = timings;
  const how =
    mode === "dense"
      ? "dense prefill"
      : `sparse prefill, recall ${percent(prefill.recall.mean)} (least ${percent(prefill.recall.least)})`;
  return [
    `first token ${duration(firstTokenMs)}`,
    `${count(cachedTokens)} of ${count(promptTokens)} tokens reused`,
    ...(prefillMs > 0 ? [`read in ${duration(prefillMs)}`] : []),
    ...(tokensPerSecond > 0 ? [`${count(tokensPerSecond)} tokens/s`] : []),
    how,
    ...(stopReason === "max-tokens" ? ["cut off at the longest answer"] : []),
  ].join(" · ");
}

/** What an answer cannot speak for; empty when everything was read. */
export function unreadText({ context }: AskRecord): string {
  const unread = context.leftOut.filter(({ reason }) => reason === "budget" || reason === "truncated");
  if (unread.length === 0) return "";
  return `${plural(unread.length, "file")} did not fit and had no say; see Context.`;
}
