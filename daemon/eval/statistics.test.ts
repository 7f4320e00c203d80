import { describe, expect, it } from "vitest";
import { Random } from "./random.ts";
import { mean, pairedDifference, wilson } from "./statistics.ts";

describe("intervals", () => {
  it("are Wilson's for a proportion", () => {
    // Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
    expect(wilson(81, 263).low).toBeCloseTo(0.2553, 4);
    expect(wilson(81, 263).high).toBeCloseTo(0.3662, 4);
    expect(wilson(0, 20)).toEqual({ low: 0, high: expect.closeTo(0.1611, 4) as number });
    expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
  });

  it("hold the true difference of pairs about as often as they say", () => {
    const random = new Random(7);
    let held = 0;
    for (let round = 0; round < 60; round += 1) {
      const first = Array.from({ length: 60 }, () => (random.next() < 0.8 ? 1 : 0));
      const second = first.map((value) => (random.next() < 0.1 ? 0 : value)); // true difference: -0.08
      const { low, high } = pairedDifference(first, second, random);
      if (low <= -0.08 && high >= -0.08) held += 1;
    }
    expect(held).toBeGreaterThanOrEqual(52);
  });

  it("do not claim certainty when no pair differs", () => {
    const { low, high } = pairedDifference([1, 1, 0, 1], [1, 1, 0, 1], new Random(1));
    expect(low).toBeLessThan(-0.3);
    expect(high).toBe(-low);
    expect(() => pairedDifference([1], [], new Random(1))).toThrow(/pair/);
    expect(mean([])).toBe(0);
  });
});
