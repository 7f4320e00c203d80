/** What the addon says of patterns tried on a text, what it refuses, and that it reads the files that a search writes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatHeadPatterns, type ScoredPattern, uniformPatterns } from "../../../daemon/search/head-pattern-file.ts";
import type { NativeModel } from "../../../native/addon.d.ts";
import { addon, goldenDir, newFlag } from "./addon.ts";

const tokens = Uint32Array.from({ length: 1500 }, (_, i) => (i * i * 37 + i) % 320);
const nothing = (): void => undefined;
const dir = mkdtempSync(path.join(os.tmpdir(), "longsight-patterns-"));
let model: NativeModel;
let layers: number;
let heads: number;

beforeAll(async () => {
  model = await addon.loadModel(goldenDir("smollm3"), { device: "cpu", threads: 2, precision: "f32" });
  ({ layers, attentionHeads: heads } = model.info());
});

afterAll(() => {
  model.dispose();
  rmSync(dir, { recursive: true });
});

const few = (): string => uniformPatterns({ name: "stream_llm", a: 8, b: 40 }, layers, heads);
const trial = (candidates: string[]) => ({ candidates, budgetKeys: 256, sampledChunks: 2, repeats: 1 });

describe("patterns tried on a text", () => {
  it("are told apart by what they leave out", async () => {
    const all = uniformPatterns({ name: "stream_llm", a: 4000, b: 1 }, layers, heads);
    const told: number[] = [];
    const scores = await model.tryPatterns(tokens, 500, newFlag(), (done) => told.push(done), trial([all, few()]));
    expect(scores.chunks).toBe(2);
    expect(scores.layers.length).toBeGreaterThan(0);
    expect(scores.layers).not.toContain(layers - 1);
    const [everything, little] = scores.candidates;
    expect(everything!.error).toHaveLength(scores.layers.length * heads);
    expect(Math.max(...everything!.error)).toBeLessThan(1e-4);
    expect(Math.min(...everything!.recall)).toBe(1);
    expect(Math.min(...little!.error)).toBeGreaterThan(0.01);
    expect(Math.max(...little!.recall)).toBeLessThan(0.9);
    expect(little!.pairs).toBeLessThan(everything!.pairs);
    expect(told.at(-1)).toBe(tokens.length);
    expect(model.memory().kvBytes).toBe(0);
  });

  it("are refused when they do not fit, and can be cancelled", async () => {
    const attempt = (candidates: string[], flag = newFlag()) =>
      model.tryPatterns(tokens, 500, flag, nothing, trial(candidates));
    expect(() => attempt(["[{}]"])).toThrow(/candidates\[0\].*is for a model of 1 layers/);
    expect(() => attempt([])).toThrow(/at least one head-pattern file/);
    expect(() => model.tryPatterns(tokens, 500, newFlag(), nothing, { ...trial([few()]), budgetKeys: 0 })).toThrow(
      expect.objectContaining({ code: "invalid-argument" }) as Error,
    );
    const flag = newFlag();
    Atomics.store(flag, 0, 1);
    await expect(attempt([few()], flag)).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe("a written head-pattern file", () => {
  it("is read back: a prefill by it is the one that its patterns ask for", async () => {
    const file = path.join(dir, "patterns.json");
    const prefill = async (): Promise<{ kept: number; recall: number }> => {
      const settings = { mode: "sparse", patterns: file, recallFloor: 0, scoreFrom: 0, kv: "" } as const;
      const { kv, report } = await model.prefill(model.emptyKv(), tokens, 1500, newFlag(), nothing, settings);
      kv.release();
      return { kept: report.keptPairs, recall: report.recallSum / report.recallCount };
    };
    writeFileSync(file, few());
    const uniform = await prefill();
    // Windowed layers have no patterns: their objects are empty, as are those of layers that nobody searched.
    const pattern: ScoredPattern = { name: "stream_llm", a: 8, b: 40, score: 0.125 };
    const layer = new Map(Array.from({ length: heads }, (_, head) => [head, pattern]));
    writeFileSync(file, formatHeadPatterns(Array.from({ length: layers }, () => layer)));
    expect(await prefill()).toEqual(uniform);
    // One head with more keys, and the rest as it was.
    const wide = new Map(layer).set(0, { ...pattern, b: 400 });
    writeFileSync(file, formatHeadPatterns(Array.from({ length: layers }, () => wide)));
    const wider = await prefill();
    expect(wider.kept).toBeGreaterThan(uniform.kept);
    expect(wider.recall).toBeGreaterThan(uniform.recall);
    writeFileSync(file, formatHeadPatterns([layer]));
    await expect(prefill()).rejects.toThrow(/is for a model of 1 layers/);
  });
});
