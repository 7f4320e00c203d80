/** Progress on stderr: a bar that is redrawn on a terminal, plain lines elsewhere. */
import type { ProgressRecord } from "../protocol/progress.ts";

export interface ProgressView {
  show(record: ProgressRecord): void;
  /** Takes the bar away, so that other output may follow. */
  clear(): void;
}

export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export function createProgressView(output: ProgressOutput): ProgressView {
  return output.isTTY ? new TerminalView(output) : new PlainView(output);
}

class TerminalView implements ProgressView {
  readonly #output: ProgressOutput;
  #shown = false;

  constructor(output: ProgressOutput) {
    this.#output = output;
  }

  show(record: ProgressRecord): void {
    // Some pseudo-terminals say 0 for "not known".
    const { columns } = this.#output;
    const width = columns === undefined || columns === 0 ? 79 : Math.max(10, columns - 1);
    const text = phaseText(record);
    const line = isMeasured(record) ? `${bar(record, Math.min(24, width - text.length - 3))}${text}` : text;
    this.#output.write(`\r\x1b[K${line.slice(0, width)}`);
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) this.#output.write("\r\x1b[K");
    this.#shown = false;
  }
}

/** A line when the phase changes, and at each further tenth of a prefill or of a summary. */
class PlainView implements ProgressView {
  readonly #output: ProgressOutput;
  #last = "";

  constructor(output: ProgressOutput) {
    this.#output = output;
  }

  show(record: ProgressRecord): void {
    const tenth = isMeasured(record) ? Math.floor(share(record) * 10) : (record.queuePosition ?? 0);
    const key = `${record.phase} ${tenth.toString()}`;
    if (key === this.#last) return;
    this.#last = key;
    this.#output.write(`${phaseText(record)}\n`);
  }

  clear(): void {
    // Lines stay.
  }
}

/** Long work of which the whole is known. */
function isMeasured({ phase }: ProgressRecord): boolean {
  return phase === "prefilling" || phase === "summarizing";
}

/** Empty when there is no room for one. */
function bar(record: ProgressRecord, width: number): string {
  if (width < 4) return "";
  const filled = Math.round(share(record) * width);
  return `[${"#".repeat(filled)}${".".repeat(width - filled)}] `;
}

function share(record: ProgressRecord): number {
  return record.totalTokens > 0 ? Math.min(1, record.processedTokens / record.totalTokens) : 0;
}

function phaseText(record: ProgressRecord): string {
  switch (record.phase) {
    case "scanning":
      return "Listing files ...";
    case "packing":
      return `Reading files ... ${count(record.processedTokens)} tokens`;
    case "loading":
      return "Loading the model ...";
    case "queued":
      return `Waiting for ${count(record.queuePosition ?? 0)} other request${record.queuePosition === 1 ? "" : "s"} ...`;
    case "answering":
      return "Answering ...";
    case "summarizing": {
      const eta = record.etaMs === null ? "" : `, ${duration(record.etaMs)} left`;
      return `Summarized ${count(record.processedTokens)} of ${count(record.totalTokens)} files${eta}`;
    }
    case "prefilling": {
      const percent = `${Math.floor(share(record) * 100).toString()} %`;
      const tokens = `${count(record.processedTokens)} of ${count(record.totalTokens)} tokens`;
      const rate = record.tokensPerSecond > 0 ? `, ${count(record.tokensPerSecond)} tokens/s` : "";
      const eta = record.etaMs === null ? "" : `, ${duration(record.etaMs)} left`;
      return `Prefill ${percent}, ${tokens}${rate}${eta}`;
    }
  }
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** "0.4 s", "12 s", "3 min 05 s". */
export function duration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds.toString()} s`;
  return `${Math.floor(seconds / 60).toString()} min ${(seconds % 60).toString().padStart(2, "0")} s`;
}
