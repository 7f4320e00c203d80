/**
 * The rate and the remaining time of a prefill, from the chunks measured so far. A token at position p costs a + 2bp: a for
 * the matrix products, b for the attention over all that lies before it. So the time from position s to position n is
 * a(n - s) + b(n^2 - s^2), and a and b are fitted by least squares to the measured points.
 */
export class PrefillClock {
  readonly #startTokens: number;
  readonly #totalTokens: number;
  readonly #startedAt: number;
  readonly #now: () => number;
  #processedTokens: number;
  /** Time during which the engine worked for others, which says nothing about our rate. */
  #pausedMs = 0;
  #pausedAt: number | null = null;
  #points: { readonly tokens: number; readonly ms: number }[] = [];

  /** `startTokens` are cached; `now` in milliseconds. */
  constructor(startTokens: number, totalTokens: number, now: () => number = () => performance.now()) {
    this.#startTokens = startTokens;
    this.#processedTokens = startTokens;
    this.#totalTokens = totalTokens;
    this.#now = now;
    this.#startedAt = now();
  }

  pause(): void {
    this.#pausedAt ??= this.#now();
  }

  resume(): void {
    if (this.#pausedAt !== null) this.#pausedMs += this.#now() - this.#pausedAt;
    this.#pausedAt = null;
  }

  /** `tokens`: position reached, cached tokens included. */
  reached(tokens: number): void {
    this.#processedTokens = tokens;
    this.#points.push({ tokens, ms: this.#workedMs() });
    // A long prefill has thousands of chunks; every second point tells the curve as well.
    if (this.#points.length > 256) this.#points = this.#points.filter((_, index) => index % 2 === 1);
  }

  /** Tokens per second over all that was computed; 0 before the first chunk. */
  get tokensPerSecond(): number {
    const last = this.#points.at(-1);
    if (!last || last.ms <= 0) return 0;
    return ((last.tokens - this.#startTokens) / last.ms) * 1000;
  }

  /** Null before the second chunk. */
  get etaMs(): number | null {
    if (this.#points.length < 2) return null;
    const { linear, quadratic } = this.#fit();
    const span = this.#totalTokens - this.#processedTokens;
    const squares = this.#totalTokens ** 2 - this.#processedTokens ** 2;
    return Math.max(0, linear * span + quadratic * squares);
  }

  #workedMs(): number {
    const pausedNow = this.#pausedAt === null ? 0 : this.#now() - this.#pausedAt;
    return this.#now() - this.#startedAt - this.#pausedMs - pausedNow;
  }

  #fit(): { linear: number; quadratic: number } {
    // Normal equations of ms = a x + b y through the origin, x = n - s and y = n^2 - s^2, scaled to keep fp64 exact enough.
    const scale = this.#totalTokens;
    let [xx, xy, yy, xt, yt] = [0, 0, 0, 0, 0];
    for (const point of this.#points) {
      const x = (point.tokens - this.#startTokens) / scale;
      const y = (point.tokens / scale) ** 2 - (this.#startTokens / scale) ** 2;
      xx += x * x;
      xy += x * y;
      yy += y * y;
      xt += x * point.ms;
      yt += y * point.ms;
    }
    const determinant = xx * yy - xy * xy;
    let a = xx > 0 ? xt / xx : 0;
    let b = 0;
    if (determinant > 1e-12 * xx * yy) {
      const fittedA = (xt * yy - yt * xy) / determinant;
      const fittedB = (yt * xx - xt * xy) / determinant;
      // Neither part of the cost is negative; noise that says so is fitted by one term alone.
      if (fittedA >= 0 && fittedB >= 0) [a, b] = [fittedA, fittedB];
      else if (fittedA < 0) [a, b] = [0, yt / yy];
    }
    return { linear: a / scale, quadratic: b / scale ** 2 };
  }
}
