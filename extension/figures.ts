/** Figures as people read them; the same in every view. */
import type { ProgressRecord } from "../daemon/protocol/progress.ts";

/** 31204 as "31,204". */
export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** 31204 as "31.2K": where there is little room. */
export function shortCount(value: number): string {
  if (value < 1000) return value.toString();
  const [scaled, unit] = value < 999_500 ? [value / 1000, "K"] : [value / 1_000_000, "M"];
  return `${scaled < 99.95 ? scaled.toFixed(1) : scaled.toFixed(0)}${unit}`;
}

/** "1 file", "3 files". */
export function plural(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Milliseconds as "0.2 s", "12 s", "3 min 20 s". */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Bytes as "412 MB". */
export function bytes(value: number): string {
  return value < 1e9 ? `${(value / 1e6).toFixed(0)} MB` : `${(value / 1e9).toFixed(1)} GB`;
}

/** 0.4567 as "45.7 %". */
export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** A step of a running request: "Reading: 12,000 of 31,204 tokens, 4,500 tokens/s, 4.3 s left". */
export function progressText(record: ProgressRecord): string {
  const { phase, totalTokens, processedTokens, tokensPerSecond, etaMs, queuePosition } = record;
  switch (phase) {
    case "scanning":
      return "Listing files";
    case "packing":
      return totalTokens > 0 ? `Tokenising: ${count(totalTokens)} tokens` : "Tokenising";
    case "loading":
      return "Loading the model";
    case "queued":
      return queuePosition ? `Waiting: ${plural(queuePosition, "request")} before this one` : "Waiting";
    case "prefilling": {
      const rate = tokensPerSecond > 0 ? `, ${count(tokensPerSecond)} tokens/s` : "";
      const left = etaMs === null ? "" : `, ${duration(etaMs)} left`;
      return `Reading: ${count(processedTokens)} of ${count(totalTokens)} tokens${rate}${left}`;
    }
    case "answering":
      return "Answering";
    case "summarizing":
      return `Summarizing: ${count(processedTokens)} of ${plural(totalTokens, "file")}`;
  }
}

/** From 0 to 1; null while there is nothing to measure. */
export function progressShare({ phase, totalTokens, processedTokens }: ProgressRecord): number | null {
  const measured = (phase === "prefilling" || phase === "summarizing") && totalTokens > 0;
  return measured ? Math.min(1, processedTokens / totalTokens) : null;
}
