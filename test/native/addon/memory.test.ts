/** 128K tokens take the memory that was planned: in a process of its own, whose peak nothing else has raised. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addonPath } from "./addon.ts";
import { kvBytesPerToken, writeZeroModel } from "./zero-model.ts";

/** Much KV, little arithmetic: heads are wide, the rest is narrow, and attention looks at its window only. */
const shape = {
  layers: 4,
  hidden: 64,
  heads: 8,
  kvHeads: 8,
  headSize: 64,
  ffn: 64,
  vocabulary: 256,
  slidingWindow: 64,
};
const tokens = 131_072;
const chunk = 4096;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "longsight-memory-"));
  writeZeroModel(dir, shape);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Figures {
  readonly plan: { readonly kvBytes: number; readonly requiredBytes: number };
  readonly before: number;
  readonly after: number;
}

it("128K tokens in bounded memory, within 15 % of the plan", { timeout: 240_000 }, () => {
  const script = `
    const addon = require(${JSON.stringify(addonPath)});
    (async () => {
      const before = process.resourceUsage().maxRSS * 1024;
      const model = await addon.loadModel(${JSON.stringify(dir)}, { device: "cpu", threads: 2, precision: "bf16" });
      const [plan] = model.plan(${tokens}, ${chunk}, 0, "");
      const flag = new Int32Array(new SharedArrayBuffer(4));
      const { kv } = await model.prefill(model.emptyKv(), new Uint32Array(${tokens}), ${chunk}, flag, () => {}, { mode: "dense", patterns: "", recallFloor: 1, scoreFrom: 0, kv: "" });
      const options = { maxTokens: 4, chunkTokens: ${chunk}, temperature: 0, topK: 0, topP: 1, seed: 0, endTokenIds: [], evidenceEnds: new Uint32Array() };
      await model.generate(kv, Uint32Array.of(1), options, flag, () => {});
      console.log(JSON.stringify({ plan, before, after: model.memory().peakBytes }));
    })();`;
  const output = execFileSync(process.execPath, ["-e", script], { encoding: "utf8" });
  const { plan, before, after } = JSON.parse(output) as Figures;
  expect(plan.kvBytes).toBe(tokens * kvBytesPerToken(shape));
  const grown = after - before;
  expect(grown).toBeGreaterThan(0.85 * plan.requiredBytes);
  expect(grown).toBeLessThan(1.15 * plan.requiredBytes);
});
