import { describe, expect, it } from "vitest";
import { type Costs, costsOf, equalKeys, measuredCandidates, sizedCandidates } from "./candidates.ts";

const score = (attentionMs: number, indexMs: number, keys: number, rows: number) => ({
  attentionMs,
  indexMs,
  pairs: keys * rows,
  error: new Float64Array(2),
  recall: new Float64Array(2),
  keys: Float64Array.of(keys, keys),
});

describe("candidates at equal cost", () => {
  it("are measured, one of each kind", () => {
    expect(measuredCandidates(1024).map(({ name }) => name)).toEqual([
      "stream_llm",
      "vertical_and_slash",
      "block_sparse",
    ]);
    // 8,000 rows: 2 ns a pair and 500 ns a row for the index; then 4 ns; then 2 ns and 1,000 ns.
    const costs = costsOf([score(16, 4, 1000, 8000), score(32, 4, 1000, 8000), score(16, 8, 1000, 8000)]);
    expect(costs.stream_llm).toEqual({ nsPerPair: 2, indexNsPerRow: 500, keys: 1000 });
    expect(costs.vertical_and_slash).toEqual({ nsPerPair: 4, indexNsPerRow: 500, keys: 1000 });
    expect(costs.block_sparse).toEqual({ nsPerPair: 2, indexNsPerRow: 1000, keys: 1000 });
    expect(() => costsOf([])).toThrow("measured no attention");
  });

  it("have the keys that their time pays for", () => {
    const costs: Costs = {
      stream_llm: { nsPerPair: 2, indexNsPerRow: 500, keys: 1119 },
      vertical_and_slash: { nsPerPair: 4, indexNsPerRow: 500, keys: 1000 },
      block_sparse: { nsPerPair: 2, indexNsPerRow: 1000, keys: 1024 },
    };
    const keys = equalKeys(costs, 1024);
    expect(keys).toEqual({ stream_llm: 2048, vertical_and_slash: 1024, block_sparse: 2048 - 250 });
    for (const name of ["stream_llm", "block_sparse"] as const) {
      const { nsPerPair, indexNsPerRow } = costs[name];
      expect(keys[name] * nsPerPair + indexNsPerRow).toBe(1024 * 4 + 500);
    }
    const sized = sizedCandidates(costs, 1024);
    const [shape] = sized;
    // The measured A-shape named 1,024 keys and computed 1,119: 95 are the row block's own.
    expect((shape?.a ?? 0) + (shape?.b ?? 0)).toBe(2048 - 95);
    expect(sized.at(-1)).toMatchObject({ name: "block_sparse", a: Math.round((2048 - 250) / 64), b: 0 });
    const labels = sized.map(({ label }) => label);
    expect(new Set(labels).size).toBe(labels.length);
    expect(sized.filter(({ name }) => name === "vertical_and_slash").length).toBeGreaterThan(3);
  });

  it("never shrink to nothing", () => {
    const costs: Costs = {
      stream_llm: { nsPerPair: 50, indexNsPerRow: 9000, keys: 159 },
      vertical_and_slash: { nsPerPair: 1, indexNsPerRow: 0, keys: 64 },
      block_sparse: { nsPerPair: 50, indexNsPerRow: 9000, keys: 64 },
    };
    for (const { name, a, b } of sizedCandidates(costs, 64)) {
      expect(a + b).toBeGreaterThan(0);
      if (name === "block_sparse") expect(a).toBeGreaterThanOrEqual(1);
    }
  });
});
