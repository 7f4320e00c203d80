import { describe, expect, it } from "vitest";
import { startScriptedEngine } from "./scripted-engine.ts";

const never = new AbortController().signal;
const ignore = () => undefined;
const settings = { mode: "dense", patterns: null, recallFloor: 1 } as const;
const options = { chunkTokens: 2, settings, signal: never, onProgress: ignore };

function tokens(...ids: number[]): Uint32Array {
  return Uint32Array.from(ids);
}

async function loaded(script: Parameters<typeof startScriptedEngine>[0] = {}) {
  const engine = startScriptedEngine(script);
  await engine.load("/model", { device: "cpu" });
  return engine;
}

describe("the engine's wire", () => {
  it("prefills, views, generates and releases", async () => {
    const engine = await loaded({ answer: (context) => [...context] });
    const progress: number[] = [];
    const { kv: base } = await engine.prefill(null, tokens(1, 2, 3, 4, 5), {
      ...options,
      onProgress: (at) => progress.push(at.processedTokens),
    });
    expect(progress).toEqual([2, 4, 5]);
    const view = await engine.view(base, 2);
    const streamed: number[] = [];
    const sampling = { temperature: 0 };
    const answer = await engine.generate(view, tokens(9), {
      maxTokens: 10,
      chunkTokens: 2,
      sampling,
      signal: never,
      onToken: (id) => streamed.push(id),
    });
    expect(answer).toMatchObject({ tokenIds: [1, 2, 9], stopReason: "end-token" });
    expect(streamed).toEqual([1, 2, 9]);
    expect(answer.kv.tokenCount).toBe(5);
    for (const state of [base, view, answer.kv]) await engine.release(state);
    expect(engine.work.liveStates).toBe(0);
    await expect(engine.release(base)).rejects.toMatchObject({ code: "internal" });
  });

  it("plans before the work", async () => {
    const engine = await loaded({ totalBytes: 1024 * 100, kvBytesPerToken: 1024 });
    expect(await engine.plan(100, 2)).toEqual([
      {
        kv: "bf16",
        chunkTokens: 2,
        weightsBytes: 0,
        kvBytes: 102_400,
        workspaceBytes: 0,
        requiredBytes: 102_400,
        availableBytes: 102_400,
      },
    ]);
    expect(await engine.plan(101, 2, { tokens: 1, kv: "fp8" })).toMatchObject([{ kv: "fp8", requiredBytes: 51_200 }]);
  });

  it("cancels a prefill and an answer, and one that was cancelled before it began", async () => {
    const engine = await loaded({ stepMs: 1, tokenMs: 1, answer: () => Array<number>(10_000).fill(7) });
    const duringPrefill = new AbortController();
    const prefill = engine.prefill(null, new Uint32Array(10_000), {
      chunkTokens: 1,
      settings,
      signal: duringPrefill.signal,
      onProgress: () => {
        duringPrefill.abort();
      },
    });
    await expect(prefill).rejects.toMatchObject({ code: "cancelled" });
    await expect(engine.prefill(null, tokens(1), { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "cancelled",
    });

    const { kv: base } = await engine.prefill(null, tokens(1), options);
    const duringAnswer = new AbortController();
    const answer = await engine.generate(base, tokens(1), {
      maxTokens: 10_000,
      chunkTokens: 2,
      sampling: { temperature: 0 },
      signal: duringAnswer.signal,
      onToken: () => {
        duringAnswer.abort();
      },
    });
    expect(answer.stopReason).toBe("cancelled");
    expect(answer.tokenIds.length).toBeLessThan(100);
  });

  it("rejects what is pending and all that follows when it dies, and says so once", async () => {
    const engine = await loaded({ stepMs: 5 });
    const reasons: string[] = [];
    engine.onDied((reason) => reasons.push(reason));
    const pending = engine.prefill(null, new Uint32Array(1000), options);
    engine.die("SIGKILL");
    await expect(pending).rejects.toMatchObject({
      code: "engine-died",
      message: expect.stringContaining("SIGKILL") as string,
    });
    await expect(engine.memory()).rejects.toMatchObject({ code: "engine-died" });
    expect(reasons).toEqual(["SIGKILL"]);
  });

  it("rejects what is pending with another code when it is stopped on purpose", async () => {
    const engine = await loaded({ stepMs: 5 });
    const pending = engine.prefill(null, new Uint32Array(1000), options);
    await Promise.all([expect(pending).rejects.toMatchObject({ code: "engine-stopped" }), engine.dispose()]);
  });

  it("passes on the addon's error codes", async () => {
    const engine = startScriptedEngine({ loadFailure: { code: "model-unsupported", message: "no such architecture" } });
    await expect(engine.load("/model", { device: "cpu" })).rejects.toMatchObject({
      code: "model-unsupported",
      message: "no such architecture",
    });
  });
});
