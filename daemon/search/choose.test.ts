import { describe, expect, it } from "vitest";
import type { PatternScores } from "../engine/engine.ts";
import type { Candidate } from "./candidates.ts";
import { bestSingles, chooseWinners, meansOf, toLayers } from "./choose.ts";
import { formatHeadPatterns } from "./head-pattern-file.ts";

const candidates: readonly Candidate[] = [
  { label: "A", name: "stream_llm", a: 10, b: 90 },
  { label: "V", name: "vertical_and_slash", a: 1000, b: 6096 },
  { label: "V of columns", name: "vertical_and_slash", a: 6096, b: 0 },
  { label: "B", name: "block_sparse", a: 2, b: 0 },
];

/** Two layers of two heads. */
function scores(errors: readonly (readonly number[])[]): PatternScores {
  return {
    layers: [1, 3],
    chunks: 1,
    rows: 10,
    candidates: errors.map((error) => ({
      attentionMs: 2,
      indexMs: 1,
      pairs: 1000,
      error: Float64Array.from(error),
      recall: Float64Array.from(error, (value) => 1 - value),
      keys: Float64Array.of(100, 100, 100, 100),
    })),
  };
}

const texts = [
  scores([
    [0.1, 0.5, 0.5, 0.2],
    [0.3, 0.1, 0.4, 0.2],
    [0.4, 0.2, 0.2, 0.2],
    [0.9, 0.9, 0.9, 0.1],
  ]),
  scores([
    [0.3, 0.5, 0.5, 0.2],
    [0.3, 0.1, 0.2, 0.2],
    [0.4, 0.4, 0.2, 0.2],
    [0.1, 0.9, 0.9, 0.1],
  ]),
];

describe("the choice of patterns", () => {
  const means = meansOf(candidates, texts);

  it("takes the least mean error over the texts, head by head", () => {
    expect(means[0]?.error[0]).toBeCloseTo(0.2);
    expect(means[0]).toMatchObject({ attentionNsPerRow: 4e6 / 80, indexNsPerRow: 2e6 / 80 });
    const winners = chooseWinners(means, [1, 3], 2);
    expect(winners.map(({ layer, head, candidate }) => [layer, head, candidate.label])).toEqual([
      [1, 0, "A"],
      [1, 1, "V"],
      [3, 0, "V of columns"],
      [3, 1, "B"],
    ]);
    expect(winners[0]?.recall).toBeCloseTo(0.8);
    expect(formatHeadPatterns(toLayers(winners, 5))).toBe(
      '[\n{},\n{"0":["stream_llm",10,90,0.2,0.72],"1":["vertical_and_slash",1000,6096,0.1,0.81]},\n{},\n' +
        '{"0":["vertical_and_slash",6096,0,0.2,0.72],"1":["block_sparse",2,0,0.1,0.81]},\n{}\n]\n',
    );
  });

  it("knows the best candidate of each pattern when all heads have the same", () => {
    expect(bestSingles(means).map(({ candidate }) => candidate.label)).toEqual(["A", "V", "B"]);
  });
});
