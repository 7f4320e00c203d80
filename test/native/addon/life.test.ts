/** Cancelling, disposing, leaving and sharing: what happens around a prefill that would take minutes. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { NativeModel } from "../../../native/addon.d.ts";
import { addon, addonPath, dense, newFlag, prefill } from "./addon.ts";
import { kvBytesPerToken, slowShape, writeZeroModel } from "./zero-model.ts";

const longPrompt = new Uint32Array(500_000);
const greedy = {
  maxTokens: 64,
  chunkTokens: 4096,
  temperature: 0,
  topK: 0,
  topP: 1,
  seed: 0,
  endTokenIds: [],
  evidenceEnds: new Uint32Array(),
};

let dir: string;
let model: NativeModel;

beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "longsight-zero-"));
  writeZeroModel(dir, slowShape);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeEach(async () => {
  model = await addon.loadModel(dir, { device: "cpu", threads: 2, precision: "bf16" });
});
afterEach(() => model.dispose());

describe("cancelling", () => {
  it("before the start: nothing is done", async () => {
    const flag = newFlag();
    Atomics.store(flag, 0, 1);
    let calls = 0;
    const run = model.prefill(model.emptyKv(), longPrompt, 4096, flag, () => calls++, dense);
    await expect(run).rejects.toMatchObject({ code: "cancelled" });
    expect(calls).toBe(0);
    expect(model.memory().kvBytes).toBe(0);
  });

  it("within one huge chunk: within a fraction of a second", async () => {
    const flag = newFlag();
    const run = model.prefill(model.emptyKv(), longPrompt, longPrompt.length, flag, () => undefined, dense);
    await sleep(300);
    const started = performance.now();
    Atomics.store(flag, 0, 1);
    await expect(run).rejects.toMatchObject({ code: "cancelled" });
    // 1.5 s rather than 0.5: the machine may be busy with other tests.
    expect(performance.now() - started).toBeLessThan(1500);
    expect(model.memory().kvBytes).toBe(0);
  });

  it("while decoding: the answer so far, and a state that can be used", async () => {
    const flag = newFlag();
    const base = await prefill(model, model.emptyKv(), longPrompt.subarray(0, 100));
    const result = await model.generate(base, Uint32Array.of(1), { ...greedy, maxTokens: 100_000 }, flag, () =>
      Atomics.store(flag, 0, 1),
    );
    expect(result.stopReason).toBe("cancelled");
    expect(result.tokenIds.length).toBeGreaterThan(0);
    expect(result.kv.tokenCount).toBeGreaterThanOrEqual(101);
    expect((await prefill(model, result.kv, Uint32Array.of(1))).tokenCount).toBe(result.kv.tokenCount + 1);
  });

  it("after the end: without effect", async () => {
    const flag = newFlag();
    const { kv } = await model.prefill(model.emptyKv(), Uint32Array.of(1, 2), 8, flag, () => undefined, dense);
    Atomics.store(flag, 0, 1);
    await sleep(30);
    expect(kv.tokenCount).toBe(2);
  });
});

describe("progress", () => {
  it("never runs backwards, and ends at the total", async () => {
    const seen: number[] = [];
    const tokens = longPrompt.subarray(0, 3000);
    const onProgress = (processed: number, total: number) => {
      expect(total).toBe(3000);
      seen.push(processed);
    };
    const { kv } = await model.prefill(model.emptyKv(), tokens, 700, newFlag(), onProgress, dense);
    expect(kv.tokenCount).toBe(3000);
    expect(seen.at(-1)).toBe(3000);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(model.memory().kvBytes).toBe(3000 * kvBytesPerToken(slowShape));
  });
});

describe("disposing", () => {
  it("stops what runs, refuses what waits and what comes", async () => {
    const running = model.prefill(model.emptyKv(), longPrompt, 4096, newFlag(), () => undefined, dense);
    const waiting = model.prefill(model.emptyKv(), longPrompt, 4096, newFlag(), () => undefined, dense);
    const both = Promise.allSettled([running, waiting]);
    await sleep(100);
    const started = performance.now();
    model.dispose();
    model.dispose();
    expect(() => model.info()).toThrow(expect.objectContaining({ code: "engine-stopped" }));
    const [first, second] = await both;
    expect(first).toMatchObject({ status: "rejected", reason: { code: "cancelled" } });
    expect(second).toMatchObject({ status: "rejected", reason: { code: "engine-stopped" } });
    expect(performance.now() - started).toBeLessThan(1500);
  });
});

describe("leaving and sharing", () => {
  const script = (body: string): string => `
    const addon = require(${JSON.stringify(addonPath)});
    (async () => {
      const model = await addon.loadModel(${JSON.stringify(dir)}, { device: "cpu", threads: 1, precision: "bf16" });
      const flag = new Int32Array(new SharedArrayBuffer(4));
      ${body}
    })();`;

  it("process.exit does not wait for a prefill", () => {
    const started = performance.now();
    const { status, signal } = spawnSync(
      process.execPath,
      [
        "-e",
        script(`
          model.prefill(model.emptyKv(), new Uint32Array(500000), 4096, flag, () => {}, { mode: "dense", patterns: "", recallFloor: 1, scoreFrom: 0, kv: "" }).catch(() => {});
          setTimeout(() => process.exit(7), 100);`),
      ],
      { timeout: 20_000 },
    );
    expect({ status, signal }).toEqual({ status: 7, signal: null });
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it("two environments load it side by side", async () => {
    const worker = new Worker(
      script(`
        const { kv } = await model.prefill(model.emptyKv(), new Uint32Array(2000), 512, flag, () => {}, { mode: "dense", patterns: "", recallFloor: 1, scoreFrom: 0, kv: "" });
        require("node:worker_threads").parentPort.postMessage(kv.tokenCount);`),
      { eval: true },
    );
    const here = prefill(model, model.emptyKv(), longPrompt.subarray(0, 2000));
    const [there] = (await once(worker, "message")) as [number];
    expect(there).toBe(2000);
    expect((await here).tokenCount).toBe(2000);
    await worker.terminate();
    // Its environment is gone; ours goes on.
    expect((await prefill(model, model.emptyKv(), longPrompt.subarray(0, 10))).tokenCount).toBe(10);
  });
});
