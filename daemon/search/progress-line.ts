/** What a search shows while it runs: how far it is, and when it will be done. */

export interface ProgressOptions {
  /** Texts, and whatever else takes as long as one. */
  readonly steps: number;
  /** A terminal gets one line that changes; a file gets a line for each step. */
  readonly terminal: boolean;
  readonly write: (text: string) => void;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

const shownEveryMs = 200;

export class ProgressLine {
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  #startedAt: number | null = null;
  #shownAt = -Infinity;
  #skipped = 0;
  #done = 0;
  #name = "";

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** A step that need not be done: it counts, but says nothing about the speed. */
  skip(): void {
    this.#skipped += 1;
  }

  begin(name: string): void {
    this.#startedAt ??= this.#now();
    this.#name = name;
    this.#show(0, true);
  }

  /** `share` of the step that was begun. */
  reached(share: number): void {
    this.#show(share, false);
  }

  finish(): void {
    this.#done += 1;
    if (!this.#options.terminal) this.#options.write(`${this.#text(0)}\n`);
  }

  /** Clears the line for what comes next. */
  end(): void {
    if (this.#options.terminal) this.#options.write("\r\x1b[K");
  }

  #show(share: number, now: boolean): void {
    if (!this.#options.terminal || (!now && this.#now() - this.#shownAt < shownEveryMs)) return;
    this.#shownAt = this.#now();
    this.#options.write(`\r\x1b[K${this.#text(share)}`);
  }

  #text(share: number): string {
    const { steps } = this.#options;
    const worked = this.#done + share;
    const elapsed = this.#now() - (this.#startedAt ?? this.#now());
    const left = steps - this.#skipped - worked;
    const eta = worked > 0 && left > 0 ? `, about ${duration((elapsed / worked) * left)} left` : "";
    const position = Math.min(steps, this.#skipped + this.#done + (share > 0 ? 1 : 0));
    return `${String(position)} of ${String(steps)}: ${this.#name}${share > 0 ? ` ${String(Math.floor(100 * share))} %` : ""}${eta}`;
  }
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${String(seconds)} s` : `${String(Math.floor(seconds / 60))} min ${String(seconds % 60)} s`;
}
