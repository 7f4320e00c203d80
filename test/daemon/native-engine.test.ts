/** The engine in its child process: the real addon with a tiny golden model, and a process that is killed. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startNativeEngine } from "../../daemon/engine/native-engine.ts";
import { type Bundled, bundle } from "./bundled.ts";
import { bytesOf } from "./tiny-model.ts";

const golden = fileURLToPath(new URL("../golden/smollm3", import.meta.url));
const addon = fileURLToPath(new URL("../../build/Release/longsight.node", import.meta.url));
const never = new AbortController().signal;
const ignore = () => undefined;
const settings = { mode: "dense", patterns: null, recallFloor: 1 } as const;
const options = { chunkTokens: 16, settings, signal: never, onProgress: ignore };
const sampling = { temperature: 0 };

let bundled: Bundled;
const engines: ReturnType<typeof startNativeEngine>[] = [];

beforeAll(async () => {
  expect(existsSync(addon), "`npm ci` builds the addon; `npm run build` builds it again").toBe(true);
  bundled = await bundle();
});

afterAll(() => {
  bundled.remove();
});

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

function start(workerPath: string) {
  const engine = startNativeEngine({ workerPath, onLog: ignore });
  engines.push(engine);
  return engine;
}

describe("the native engine's process", () => {
  it("loads a model, prefills, forks and generates the same from a view as from the whole", async () => {
    const engine = start(bundled.nativeWorker);
    const info = await engine.load(golden, { device: "cpu", threads: 1 });
    expect(info).toMatchObject({ modelDir: golden, architecture: "SmolLM3ForCausalLM", device: "cpu" });
    const [plan] = await engine.plan(64, 16);
    expect(plan).toMatchObject({ kv: "bf16", chunkTokens: 16, kvBytes: 64 * info.kvBytesPerToken });
    expect(plan?.requiredBytes).toBeLessThan(plan?.availableBytes ?? 0);

    const tokens = Uint32Array.from({ length: 48 }, (_, at) => (at * 7 + 3) % info.vocabularySize);
    const progress: number[] = [];
    const onProgress = ({ processedTokens }: { processedTokens: number }) => progress.push(processedTokens);
    const { kv: whole } = await engine.prefill(null, tokens, { ...options, onProgress });
    expect(progress.at(-1)).toBe(48);
    expect(whole).toMatchObject({ tokenCount: 48, type: "bf16", sizeBytes: 48 * info.kvBytesPerToken });

    const generate = (base: typeof whole, question: Uint32Array) => {
      const streamed: number[] = [];
      const onToken = (id: number) => streamed.push(id);
      return engine
        .generate(base, question, { maxTokens: 8, chunkTokens: 16, sampling, signal: never, onToken })
        .then((answer) => ({ ...answer, streamed }));
    };
    const first = await generate(await engine.view(whole, 40), tokens.slice(40));
    const { kv: half } = await engine.prefill(null, tokens.slice(0, 20), options);
    const { kv: longer } = await engine.prefill(half, tokens.slice(20, 40), options);
    const second = await generate(longer, tokens.slice(40));
    expect(first.tokenIds.length).toBeGreaterThan(0);
    expect(first.streamed).toEqual(first.tokenIds);
    expect(second.tokenIds).toEqual(first.tokenIds);

    const before = await engine.memory();
    for (const state of [whole, half, longer, first.kv, second.kv]) await engine.release(state);
    const after = await engine.memory();
    expect(after.kvStates).toBe(before.kvStates - 5);
    expect(after.peakBytes).toBeGreaterThan(0);
  });

  it("cancels a prefill that is under way", async () => {
    const engine = start(bundled.nativeWorker);
    const info = await engine.load(golden, { device: "cpu", threads: 1 });
    const aborter = new AbortController();
    const count = Math.min(8192, info.maxContextTokens);
    const prefill = engine.prefill(null, new Uint32Array(count).fill(1), {
      chunkTokens: 16,
      settings,
      signal: aborter.signal,
      onProgress: () => {
        aborter.abort();
      },
    });
    await expect(prefill).rejects.toMatchObject({ code: "cancelled" });
    expect(await engine.memory()).toBeDefined();
  });

  it.each([
    ["a folder that is not there", "/no/such/model", "model-file-missing"],
    ["a folder without weights", fileURLToPath(new URL("..", import.meta.url)), "model-file-missing"],
  ])("refuses %s with the catalogue's code", async (_what, folder, code) => {
    const engine = start(bundled.nativeWorker);
    await expect(engine.load(folder, { device: "cpu" })).rejects.toMatchObject({ code });
  });
});

describe("an engine's process that dies", () => {
  it.each(["prefill", "answer"] as const)("settles the calls in the middle of a %s, and says why", async (what) => {
    const engine = start(bundled.scriptedWorker);
    await engine.load("/any", { device: "cpu" });
    const reasons: string[] = [];
    engine.onDied((reason) => reasons.push(reason));
    const kill = () => process.kill(engine.pid ?? 0, "SIGKILL");
    const { kv: base } = await engine.prefill(null, new Uint32Array(4), options);
    const pending =
      what === "prefill"
        ? engine.prefill(base, new Uint32Array(10_000), { ...options, onProgress: kill })
        : engine.generate(base, new Uint32Array([1]), {
            maxTokens: 500,
            chunkTokens: 16,
            sampling,
            signal: never,
            onToken: kill,
          });
    await expect(pending).rejects.toMatchObject({
      code: "engine-died",
      message: expect.stringContaining("SIGKILL") as string,
    });
    await expect(engine.memory()).rejects.toMatchObject({ code: "engine-died" });
    expect(reasons).toHaveLength(1);
  });

  it("ends by itself when its GPU has failed, and says so", async () => {
    const engine = start(bundled.scriptedWorker);
    await engine.load("/any", { device: "cpu" });
    const died = new Promise<string>((resolve) => {
      engine.onDied(resolve);
    });
    const { kv: base } = await engine.prefill(null, new Uint32Array(4), options);
    const answer = engine.generate(base, Uint32Array.from(bytesOf("gpuFails")), {
      maxTokens: 5,
      chunkTokens: 16,
      sampling,
      signal: never,
      onToken: () => undefined,
    });
    await expect(answer).rejects.toMatchObject({ code: "engine-died", message: "the GPU failed while computing" });
    expect(await died).toBe("the GPU failed while computing");
    expect(() => process.kill(engine.pid ?? 0, 0)).toThrow(/ESRCH/);
    await expect(engine.memory()).rejects.toMatchObject({ code: "engine-died" });
  });

  it("settles the first call when the process cannot start", async () => {
    const engine = start("/no/such/worker.js");
    await expect(engine.load("/any", { device: "cpu" })).rejects.toMatchObject({ code: "engine-died" });
  });

  it("ends when its daemon is gone", async () => {
    const engine = start(bundled.scriptedWorker);
    await engine.load("/any", { device: "cpu" });
    await engine.dispose();
    expect(() => process.kill(engine.pid ?? 0, 0)).toThrow(/ESRCH/);
  });
});
