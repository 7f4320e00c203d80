/** One piece of work for several clients: it runs while at least one of them waits for it. */
import type { ProgressRecord } from "../protocol/progress.ts";
import { abortable } from "./abortable.ts";

export type Report = (record: ProgressRecord) => void;

interface Member {
  readonly report: Report;
}

export class SharedTask<Result> {
  readonly #abort = new AbortController();
  readonly #members = new Set<Member>();
  readonly #outcome: Promise<Result>;
  #newest: ProgressRecord | null = null;
  #settled = false;

  constructor(work: (signal: AbortSignal, report: Report) => Promise<Result>) {
    this.#outcome = work(this.#abort.signal, (record) => {
      this.#newest = record;
      for (const member of this.#members) member.report(record);
    }).finally(() => {
      this.#settled = true;
    });
    // Each member sees the outcome; with no member left nobody needs it.
    this.#outcome.catch(() => undefined);
  }

  /** False when the work is over or is being given up: who comes now starts anew. */
  get isJoinable(): boolean {
    return !this.#settled && !this.#abort.signal.aborted;
  }

  /** Resolves when the work is over, whatever came of it. */
  async over(): Promise<void> {
    await this.#outcome.catch(() => undefined);
  }

  /** Rejects with `cancelled` as soon as `signal` fires; the last member to leave cancels the work. */
  async join(signal: AbortSignal, report: Report): Promise<Result> {
    const member: Member = { report };
    this.#members.add(member);
    if (this.#newest) report(this.#newest);
    try {
      return await abortable(this.#outcome, signal);
    } finally {
      this.#members.delete(member);
      if (this.#members.size === 0 && !this.#settled) this.#abort.abort();
    }
  }
}
