import { describe, expect, it } from "vitest";
import { PrefillClock } from "./prefill-clock.ts";

/** Milliseconds to process tokens 0 to n at 0.1 ms each, plus attention. */
function cost(tokens: number): number {
  return 0.1 * tokens + 1e-6 * tokens ** 2;
}

function run(start: number, total: number, until: number, chunk: number, noise: (chunkIndex: number) => number) {
  let now = 5000;
  const clock = new PrefillClock(start, total, () => now);
  let index = 0;
  for (let tokens = start + chunk; tokens <= until; tokens += chunk) {
    now += (cost(tokens) - cost(tokens - chunk)) * noise(index++);
    clock.reached(tokens);
  }
  return clock;
}

describe("PrefillClock", () => {
  it("knows nothing before the second chunk", () => {
    const clock = new PrefillClock(0, 1000, () => 0);
    expect(clock.etaMs).toBeNull();
    expect(clock.tokensPerSecond).toBe(0);
  });

  it("foresees that later tokens cost more", () => {
    const clock = run(0, 1_000_000, 100_000, 2000, () => 1);
    const truth = cost(1_000_000) - cost(100_000);
    expect(clock.etaMs).toBeGreaterThan(0.98 * truth);
    expect(clock.etaMs).toBeLessThan(1.02 * truth);
    // The rate so far would have said a fifth of it.
    expect(900_000 / (clock.tokensPerSecond / 1000)).toBeLessThan(0.3 * truth);
  });

  it("counts from the cached tokens on", () => {
    const clock = run(50_000, 200_000, 100_000, 2000, () => 1);
    const truth = cost(200_000) - cost(100_000);
    expect(Math.abs((clock.etaMs ?? 0) - truth) / truth).toBeLessThan(0.02);
    expect(clock.tokensPerSecond).toBeCloseTo((50_000 / (cost(100_000) - cost(50_000))) * 1000, 3);
  });

  it("stays sane on noisy chunks", () => {
    const clock = run(0, 100_000, 30_000, 1000, (index) => (index % 2 === 0 ? 1.3 : 0.7));
    const truth = cost(100_000) - cost(30_000);
    expect((clock.etaMs ?? 0) / truth).toBeGreaterThan(0.6);
    expect((clock.etaMs ?? 0) / truth).toBeLessThan(1.6);
  });

  it("leaves out the time in which others used the engine", () => {
    let now = 0;
    const clock = new PrefillClock(0, 4000, () => now);
    now += 100;
    clock.reached(1000);
    clock.pause();
    now += 60_000;
    clock.resume();
    now += 100;
    clock.reached(2000);
    expect(clock.tokensPerSecond).toBeCloseTo(10_000);
    expect(clock.etaMs).toBeCloseTo(200, 0);
  });
});
