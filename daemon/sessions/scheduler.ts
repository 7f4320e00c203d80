/**
 * Who may use the engine now: one job at a time, because a device that is shared makes everybody late. An answer goes before a
 * prefill, and a prefill comes in slices, so that an answer waits for a slice and not for a repository.
 */
import { Failure, throwIfCancelled } from "../failure/failure.ts";

export type JobKind = "answer" | "prefill";

interface Job {
  readonly kind: JobKind;
  /** Order among jobs of a kind; slices of one prefill share theirs, so that it keeps its place. */
  readonly ticket: number;
  readonly start: () => void;
  readonly reject: (failure: Failure) => void;
  readonly onPosition: (jobsBefore: number) => void;
}

export interface JobOptions {
  readonly signal: AbortSignal;
  /** Called when the job has to wait, and whenever its place changes. 1: only the running job is before it. */
  readonly onPosition?: (jobsBefore: number) => void;
}

export class Scheduler {
  #nextTicket = 1;
  #running = false;
  #waiting: Job[] = [];
  #closed: Failure | null = null;

  get isRunning(): boolean {
    return this.#running;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  newTicket(): number {
    return this.#nextTicket++;
  }

  /** Runs `work` when its turn comes. A job that is cancelled while it waits rejects at once and never starts. */
  async run<Result>(kind: JobKind, ticket: number, options: JobOptions, work: () => Promise<Result>): Promise<Result> {
    const { signal, onPosition = () => undefined } = options;
    throwIfCancelled(signal);
    if (this.#closed) throw this.#closed;
    if (this.#running) await this.#turn(kind, ticket, signal, onPosition);
    this.#running = true;
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  /** Rejects what waits; what runs is ended by its engine. */
  close(failure: Failure): void {
    this.#closed = failure;
    for (const job of this.#waiting.splice(0)) job.reject(failure);
  }

  #turn(kind: JobKind, ticket: number, signal: AbortSignal, onPosition: (jobsBefore: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        signal.removeEventListener("abort", cancel);
        this.#waiting = this.#waiting.filter((waiting) => waiting !== job);
      };
      const cancel = (): void => {
        leave();
        this.#tellPositions();
        reject(new Failure("cancelled", "The request was cancelled."));
      };
      const job: Job = {
        kind,
        ticket,
        onPosition,
        start: () => {
          leave();
          resolve();
        },
        reject: (failure) => {
          leave();
          reject(failure);
        },
      };
      signal.addEventListener("abort", cancel, { once: true });
      this.#waiting.push(job);
      this.#waiting.sort(byTurn);
      this.#tellPositions();
    });
  }

  #next(): void {
    const [job] = this.#waiting;
    // The device goes straight to the next job: were it free in between, a newcomer could slip in.
    this.#running = job !== undefined;
    job?.start();
    this.#tellPositions();
  }

  #tellPositions(): void {
    this.#waiting.forEach((job, index) => {
      job.onPosition(index + 1);
    });
  }
}

function byTurn(first: Job, second: Job): number {
  if (first.kind !== second.kind) return first.kind === "answer" ? -1 : 1;
  return first.ticket - second.ticket;
}
