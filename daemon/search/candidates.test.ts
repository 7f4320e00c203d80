import { describe, expect, it } from "vitest";
import type { PatternScores } from "../engine/engine.ts";
import { type Costs, costsOf, measuredCandidates, sizedCandidates } from "./candidates.ts";

/** Of two heads in one layer: nanoseconds of attention per row of a head, and pairs. */
function measured(...candidates: readonly (readonly [ns: number, keys: number])[]): PatternScores {
  const rows = 4000;
  return {
    layers: [2],
    chunks: 1,
    rows,
    candidates: candidates.map(([ns, keys]) => ({
      attentionMs: (ns * rows * 2) / 1e6,
      indexMs: (100 * rows * 2) / 1e6,
      pairs: keys * rows * 2,
      error: new Float64Array(2),
      recall: new Float64Array(2),
      keys: Float64Array.of(keys, keys),
    })),
  };
}

describe("candidates at equal cost", () => {
  it("follow from what two sizes of each pattern cost", () => {
    const names = measuredCandidates(1024).map(({ name }) => name);
    expect(names).toEqual(["vertical_and_slash", "stream_llm", "stream_llm", "block_sparse", "block_sparse"]);
    // A-shape: 300 ns and 1 ns a key; blocks: 500 ns and 50 ns a block. Vertical-slash: 900.
    const costs = costsOf(measured([900, 600], [1324, 1100], [812, 600], [1300, 1024], [900, 512]), 1024);
    expect(costs).toMatchObject({ aShapeKeys: 600, blocks: 8, nsPerRow: 1000 });
    expect(costs.nsPerPair.vertical_and_slash).toBeCloseTo(1.5);
    expect(costs.nsPerPair.block_sparse).toBeCloseTo(1300 / 1024);
    const sized = sizedCandidates(costs, 1024);
    for (const { name, a, b } of sized) {
      if (name === "stream_llm") expect(a + b).toBe(600);
      if (name === "block_sparse") expect([a, b]).toEqual([8, 0]);
    }
    const labels = sized.map(({ label }) => label);
    expect(new Set(labels).size).toBe(labels.length);
    expect(sized.filter(({ name }) => name === "vertical_and_slash").length).toBeGreaterThan(3);
  });

  it("stay within what was measured, whatever the clock says", () => {
    // Half the size took longer, and a line that is nearly flat.
    const costs = costsOf(measured([900, 600], [500, 1100], [600, 600], [100.1, 1024], [100, 512]), 1024);
    expect(costs).toMatchObject({ aShapeKeys: 1024, blocks: 32 });
    const cheap = costsOf(measured([10, 600], [1324, 1100], [812, 600], [1300, 1024], [900, 512]), 1024);
    expect(cheap).toMatchObject({ aShapeKeys: 256, blocks: 4 });
    expect(() => costsOf(measured([900, 600]), 1024)).toThrow("measured no attention");
  });

  it("never shrink to nothing", () => {
    const costs: Costs = {
      nsPerPair: { stream_llm: 1, vertical_and_slash: 1, block_sparse: 1 },
      nsPerRow: 1,
      aShapeKeys: 1,
      blocks: 1,
    };
    for (const { name, a, b } of sizedCandidates(costs, 64)) {
      expect(a + b).toBeGreaterThan(0);
      if (name === "block_sparse") expect(a).toBeGreaterThanOrEqual(1);
    }
  });
});
