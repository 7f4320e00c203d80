import type { ProgressRecord } from "../protocol/progress.ts";

/** One line for clients that show LSP's `message`; ours draw the record itself. */
export function describeProgress(record: ProgressRecord): string {
  switch (record.phase) {
    case "scanning":
      return "Listing files";
    case "packing":
      return "Reading files";
    case "loading":
      return "Loading the model";
    case "queued":
      return `Waiting: ${(record.queuePosition ?? 0).toString()} before this request`;
    case "prefilling": {
      const done = `${count(record.processedTokens)} of ${count(record.totalTokens)} tokens`;
      const rate = record.tokensPerSecond > 0 ? `, ${count(Math.round(record.tokensPerSecond))} tokens/s` : "";
      const eta = record.etaMs === null ? "" : `, ${Math.ceil(record.etaMs / 1000).toString()} s left`;
      return `Reading the repository: ${done}${rate}${eta}`;
    }
    case "answering":
      return "Answering";
    case "summarizing":
      return `Summarized ${count(record.processedTokens)} of ${count(record.totalTokens)} files`;
  }
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
