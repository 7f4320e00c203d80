/** Sends `$/progress` so that neither a fast engine nor a slow reader makes a queue of it. */
import { limits } from "../protocol/limits.ts";
import type { ProgressToken } from "../protocol/message.ts";
import type { AnswerPiece, ProgressRecord, WorkDone } from "../protocol/progress.ts";
import type { SummaryPiece } from "../protocol/summarize.ts";
import { describeProgress } from "./describe-progress.ts";

/** Resolves when the notification has left this process. */
export type SendProgress = (token: ProgressToken, value: WorkDone | AnswerPiece | SummaryPiece) => Promise<void>;

/** Work-done progress of one request: the newest record, at most ten a second, and never two on the way. */
export class WorkDoneSender {
  readonly #send: (value: WorkDone) => Promise<void>;
  #newest: ProgressRecord | null = null;
  #sending: Promise<void> | null = null;
  #percentage = 0;
  #ended = false;

  constructor(token: ProgressToken, title: string, send: SendProgress) {
    this.#send = (value) => send(token, value);
    this.#sending = this.#pause(this.#send({ kind: "begin", title, cancellable: true, percentage: 0 }));
  }

  report(record: ProgressRecord): void {
    this.#newest = record;
    this.#sending ??= this.#sendNewest();
  }

  /** Resolves when `end` has been sent; records that have not left by then are dropped. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#send({ kind: "end" });
  }

  #sendNewest(): Promise<void> | null {
    const record = this.#newest;
    this.#newest = null;
    if (!record || this.#ended) return null;
    return this.#pause(this.#send(this.#toReport(record)));
  }

  async #pause(sent: Promise<void>): Promise<void> {
    await sent;
    await new Promise((resolve) => setTimeout(resolve, limits.minProgressIntervalMs).unref());
    this.#sending = this.#sendNewest();
  }

  #toReport(record: ProgressRecord): WorkDone {
    const share = record.totalTokens > 0 ? record.processedTokens / record.totalTokens : 0;
    // LSP: percentages never fall, also when a later phase has more to do.
    this.#percentage = Math.max(this.#percentage, Math.min(100, Math.floor(share * 100)));
    return { kind: "report", message: describeProgress(record), percentage: this.#percentage, longsight: record };
  }
}

/** The answer's text: what comes while a piece is on its way goes with the next one. */
export class PieceSender {
  readonly #send: (value: AnswerPiece) => Promise<void>;
  #unsent = "";
  #sending: Promise<void> | null = null;

  constructor(token: ProgressToken, send: SendProgress) {
    this.#send = (value) => send(token, value);
  }

  add(text: string): void {
    this.#unsent += text;
    this.#sending ??= this.#drain();
  }

  /** Resolves when all text has left. */
  async flush(): Promise<void> {
    while (this.#sending) await this.#sending;
  }

  async #drain(): Promise<void> {
    while (this.#unsent !== "") {
      const text = this.#unsent;
      this.#unsent = "";
      await this.#send({ text });
    }
    this.#sending = null;
  }
}

/** Nodes of a summary, in order and one at a time: each is a piece of its own. */
export class NodeSender {
  readonly #send: (value: SummaryPiece) => Promise<void>;
  #sending: Promise<void> = Promise.resolve();

  constructor(token: ProgressToken, send: SendProgress) {
    this.#send = (value) => send(token, value);
  }

  add(piece: SummaryPiece): void {
    this.#sending = this.#sending.then(() => this.#send(piece));
  }

  /** Resolves when all nodes have left. */
  async flush(): Promise<void> {
    await this.#sending;
  }
}
