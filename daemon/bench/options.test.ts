import { describe, expect, it } from "vitest";
import { drawChart } from "./chart.ts";
import { readBenchOptions } from "./options.ts";
import { readResult, toTable } from "./result.ts";

const row = (tokens: number, mode: string, prefillMs: number) => ({
  tokens,
  mode,
  prefillMs,
  attentionMs: prefillMs / 2,
  indexMs: 1,
  sparsity: mode === "dense" ? 0 : 0.9,
  guardShare: 0,
  recall: { mean: 0.98, least: 0.951 },
  tokensPerSecond: (tokens / prefillMs) * 1000,
});
const result = { machine: "avx2, 2 threads", rows: [row(1024, "dense", 1000), row(1024, "sparse", 250)] };

describe("the options of bench prefill", () => {
  it("are lengths and places here, and the rest is passed on", () => {
    const options = readBenchOptions(["--lengths", "512,1024", "--mode", "auto", "--runs", "3", "--json"]);
    expect(options).toMatchObject({ lengths: [512, 1024], passed: ["--mode", "auto", "--runs", "3"], json: true });
    expect(readBenchOptions(["--shape", "llama-3-8b", "--layers", "1"]).passed).toEqual([
      "--shape",
      "llama-3-8b",
      "--layers",
      "1",
    ]);
  });

  it.each([
    [["--lengths", "12"], "from 64"],
    [["--lengths", "1e5"], "from 64"],
    [["--shape", "llama-3-8b", "--repo", "x"], "neither --model nor --repo"],
    [["--layers", "2"], "--layers goes with --shape"],
    [["--sped"], "--sped"],
    [["word"], "word"],
  ])("%j is a mistake", (args, message) => {
    expect(() => readBenchOptions(args)).toThrow(message);
  });
});

describe("the result of bench prefill", () => {
  it("is a table that says how much faster sparse was", () => {
    const lines = toTable(readResult(JSON.stringify(result))).split("\n");
    expect(lines.find((line) => line.includes("sparse"))).toBe(
      "| 1,024 | sparse | 0.25 s (4.00x) | 0.13 s | 0.00 s | 90.0 % | 0.980 (0.951) | 4,096 |",
    );
  });

  it("is a picture with a line to a mode, also when there is one length", () => {
    const svg = drawChart(result);
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it("is refused when it is not what the program prints", () => {
    expect(() => readResult("{}")).toThrow("not what it should be");
  });
});
