/** Whether a daemon that ended by itself is started again without asking: not after five ends in three minutes. */
export const crashLimits = { count: 5, windowMs: 3 * 60_000 } as const;

export class CrashPolicy {
  readonly #now: () => number;
  #ends: number[] = [];

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Call at each unexpected end. "ask" from the fifth within the window on. */
  ended(): "again" | "ask" {
    const now = this.#now();
    this.#ends = [...this.#ends.filter((at) => now - at < crashLimits.windowMs), now];
    return this.#ends.length >= crashLimits.count ? "ask" : "again";
  }

  /** A person started it: what was before does not count. */
  forget(): void {
    this.#ends = [];
  }
}
