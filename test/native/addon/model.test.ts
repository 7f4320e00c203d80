/** The addon against a golden model, and what it refuses. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { NativeKv, NativeModel } from "../../../native/addon.d.ts";
import { errorCatalogue } from "../../../daemon/protocol/errors.ts";
import { addon, dense, goldenDir, newFlag, prefill } from "./addon.ts";

interface Golden {
  readonly inputIds: Uint32Array;
  readonly greedy: number[];
  /** Logits of positions 0, 4, 8, ... */
  readonly logits: Float32Array;
}

function readGolden(name: string): Golden {
  const file = readFileSync(`${goldenDir(name)}/golden.safetensors`);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerBytes)) as Record<string, { data_offsets: number[] }>;
  const bytes = (tensor: string): ArrayBuffer => {
    const [begin, end] = header[tensor]!.data_offsets;
    return Uint8Array.from(file.subarray(8 + headerBytes + begin!, 8 + headerBytes + end!)).buffer;
  };
  return {
    inputIds: Uint32Array.from(new BigInt64Array(bytes("input_ids")), Number),
    greedy: [...new BigInt64Array(bytes("greedy"))].map(Number),
    logits: new Float32Array(bytes("logits")),
  };
}

const greedyOptions = {
  maxTokens: 16,
  chunkTokens: 64,
  temperature: 0,
  topK: 0,
  topP: 1,
  seed: 0,
  endTokenIds: [],
  evidenceEnds: new Uint32Array(),
};
const golden = readGolden("smollm3");
let model: NativeModel;

beforeAll(async () => {
  model = await addon.loadModel(goldenDir("smollm3"), { device: "auto", threads: 2, precision: "f32" });
});

describe("a loaded model", () => {
  it("says what it is", () => {
    expect(model.info()).toMatchObject({
      architecture: "SmolLM3ForCausalLM",
      layers: 4,
      hiddenSize: 96,
      vocabularySize: 320,
      maxContextTokens: 4096,
      kv: "f32",
      kvBytesPerToken: 4 * 2 * 48 * 4,
      device: "cpu",
      deviceName: "",
      deviceBytes: 0,
      threads: 2,
      endTokenIds: [2],
    });
    expect(addon.backends()[0]).toBe("cpu");
    expect(addon.instructionSet()).toBe(model.info().instructionSet);
  });

  it("agrees with transformers: logits, forked, through a view", async () => {
    const kv = await prefill(model, model.emptyKv(), golden.inputIds.subarray(0, 150), 40);
    const view = kv.view(100);
    expect(view).toMatchObject({ tokenCount: 100, type: "f32", bytes: 100 * model.info().kvBytesPerToken });
    const logits = await model.logits(view, golden.inputIds.subarray(100, 157), 16);
    const expected = golden.logits.subarray((156 / 4) * 320, (156 / 4 + 1) * 320);
    const worst = Math.max(...logits.map((logit, i) => Math.abs(logit - expected[i]!)));
    expect(worst).toBeLessThan(1e-3);
  });

  it("agrees with transformers: greedy continuation, each token told once and in order", async () => {
    const told: number[] = [];
    const result = await model.generate(model.emptyKv(), golden.inputIds, greedyOptions, newFlag(), (token) =>
      told.push(token),
    );
    expect(result.tokenIds).toEqual(golden.greedy);
    expect(told).toEqual(golden.greedy);
    expect(result.stopReason).toBe("max-tokens");
    expect(result.kv.tokenCount).toBe(160 + 15);
    expect(result.firstTokenMs).toBeGreaterThan(0);
  });

  it("tells where the attention of an answer lay, when it is asked", async () => {
    const base = await prefill(model, model.emptyKv(), golden.inputIds.subarray(0, 150));
    const rest = golden.inputIds.subarray(150);
    const ask = (evidenceEnds: Uint32Array) =>
      model.generate(base, rest, { ...greedyOptions, evidenceEnds }, newFlag(), () => undefined);
    const { evidence, evidenceMass, tokenIds } = await ask(Uint32Array.of(1, 50, 100, 150));
    expect(tokenIds).toEqual(golden.greedy);
    expect(evidence).toHaveLength(4);
    expect(evidence[0]).toBe(0);
    expect(evidence.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(evidenceMass).toBeGreaterThan(0.1);
    expect(evidenceMass).toBeLessThan(1);
    expect(await ask(new Uint32Array())).toMatchObject({ evidence: new Float64Array(), evidenceMass: 0, tokenIds });
    await expect(ask(Uint32Array.of(1, 151))).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(ask(Uint32Array.of(9, 8))).rejects.toMatchObject({ code: "invalid-argument" });
    expect(() => void ask([1, 2] as unknown as Uint32Array)).toThrow(/evidenceEnds must be a Uint32Array/);
  });

  it("stops at an end token, which it tells too", async () => {
    const options = { ...greedyOptions, endTokenIds: [golden.greedy[3]!] };
    const result = await model.generate(model.emptyKv(), golden.inputIds, options, newFlag(), () => undefined);
    expect(result.stopReason).toBe("end-token");
    expect(result.tokenIds).toEqual(golden.greedy.slice(0, golden.greedy.indexOf(golden.greedy[3]!) + 1));
  });

  it("runs operations in the order in which they were asked for", async () => {
    const done: number[] = [];
    const runs = [0, 1, 2, 3].map(async (i) => {
      await prefill(model, model.emptyKv(), golden.inputIds);
      done.push(i);
    });
    await Promise.all(runs);
    expect(done).toEqual([0, 1, 2, 3]);
  });

  it("counts KV states and their bytes, shared segments once", async () => {
    const before = model.memory();
    const kv = await prefill(model, model.emptyKv(), golden.inputIds);
    const view = kv.view(10);
    const held = model.memory();
    expect(held.kvStates - before.kvStates).toBeGreaterThanOrEqual(2);
    kv.release();
    kv.release();
    expect(kv).toMatchObject({ tokenCount: 0, type: "", bytes: 0 });
    expect(model.memory().kvStates).toBe(held.kvStates - 1);
    expect(model.memory().kvBytes).toBe(held.kvBytes);
    view.release();
    expect(model.memory().kvBytes).toBe(held.kvBytes - 160 * model.info().kvBytesPerToken);
    expect(held.peakBytes).toBeGreaterThan(10_000_000);
  });

  it("moves KV to the machine's memory and back, where it is the same", async () => {
    const generate = async (kv: NativeKv) => {
      const rest = golden.inputIds.subarray(150);
      return (await model.generate(kv, rest, greedyOptions, newFlag(), () => undefined)).tokenIds;
    };
    const kv = await prefill(model, model.emptyKv(), golden.inputIds.subarray(0, 150), 40);
    const before = model.memory();
    const { bytes } = kv;
    await expect(kv.stow(bytes - 1)).rejects.toMatchObject({ code: "not-enough-memory" });
    expect(kv.place).toBe("device");
    const moving = kv.stow(1e9);
    expect(() => kv.stow(1e9)).toThrow(/stow: this KV state is being moved/);
    await moving;
    expect(kv).toMatchObject({ place: "host", tokenCount: 150, type: "f32" });
    // States of earlier tests may be collected at any time.
    expect(model.memory().kvBytes).toBeLessThanOrEqual(before.kvBytes - bytes);
    expect(model.memory().hostKvBytes - before.hostKvBytes).toBeGreaterThanOrEqual(bytes);
    expect(() => kv.view(1)).toThrow(/released or stowed/);
    await expect(generate(kv)).rejects.toThrow(/base must be a NativeKv of this model, on its device/);
    expect(() => kv.stow(1e9)).toThrow(/stow: this KV state is in the machine's memory/);
    await kv.restore();
    expect(kv).toMatchObject({ place: "device", tokenCount: 150, bytes });
    expect(model.memory().hostKvBytes).toBe(before.hostKvBytes);
    expect(() => kv.restore()).toThrow(/restore: this KV state is on the device/);
    expect(await generate(kv)).toEqual(golden.greedy);

    // Released on the way: the memory goes when the move has ended.
    const gone = kv.stow(1e9);
    kv.release();
    await gone;
    expect(kv).toMatchObject({ place: "", tokenCount: 0 });
    expect(model.memory().hostKvBytes).toBe(before.hostKvBytes);
    expect(() => kv.restore()).toThrow(/released/);
  });

  it("plans before the work", () => {
    const [plan, ...cheaper] = model.plan(1000, 256, 0, "");
    if (!plan) throw new Error("there is always a plan");
    expect(cheaper).toEqual([]); // the CPU has one type, and chunks this short are not cut
    expect(plan).toMatchObject({ kv: "f32", chunkTokens: 256 });
    expect(plan.kvBytes).toBe(1000 * model.info().kvBytesPerToken);
    expect(plan.requiredBytes).toBe(plan.weightsBytes + plan.kvBytes + plan.workspaceBytes);
    expect(plan.availableBytes).toBeGreaterThan(plan.requiredBytes);
    expect(model.plan(1000, 256, 600, "f32")).toMatchObject([{ kvBytes: 400 * model.info().kvBytesPerToken }]);
    expect(model.plan(4096, 32_768, 0, "").map(({ chunkTokens }) => chunkTokens)).toEqual([32_768]);
  });

  it("rejects with what a callback threw", async () => {
    const listener = () => {
      throw new Error("the listener is gone");
    };
    const failing = model.prefill(model.emptyKv(), golden.inputIds, 16, newFlag(), listener, dense);
    await expect(failing).rejects.toThrow("the listener is gone");
    expect((await prefill(model, model.emptyKv(), golden.inputIds)).tokenCount).toBe(160);
  });
});

describe("a sparse prefill", () => {
  const run = (settings: Parameters<NativeModel["prefill"]>[5]) =>
    model.prefill(model.emptyKv(), golden.inputIds, 64, newFlag(), () => undefined, settings);

  it("reports what it kept, and a dense one that it kept all", async () => {
    const { report } = await run({ mode: "sparse", patterns: "", recallFloor: 0.95, scoreFrom: 0, kv: "" });
    expect(report.keptPairs).toBeGreaterThan(0);
    expect(report.recallLeast).toBeGreaterThan(0.9);
    expect((await run(dense)).report).toMatchObject({ sparse: false, recallCount: 0, recallLeast: 1 });
  });

  it("refuses a file of patterns that is missing, a mode and a floor that there are not", () => {
    const settings = { mode: "sparse", patterns: "/no/such.json", recallFloor: 1, scoreFrom: 0, kv: "" } as const;
    expect(() => void run(settings)).toThrow(/head patterns \/no\/such.json: /);
    expect(() => void run({ ...dense, mode: "fast" as "dense" })).toThrow(/mode must be "auto", "dense" or "sparse"/);
    expect(() => void run({ ...dense, recallFloor: 2 })).toThrow(/recallFloor must be a number from 0 to 1/);
  });
});

describe("bad input", () => {
  const tokens = Uint32Array.of(1, 2, 3);
  const nothing = (): undefined => undefined;
  /** Calls that TypeScript would refuse. */
  const untyped = () => model as unknown as Record<string, (...args: unknown[]) => unknown>;

  it.each([
    ["no base", () => untyped()["prefill"]!(), "base must be a NativeKv"],
    ["a base that is no KV", () => untyped()["prefill"]!({ tokenCount: 1 }), "base must be a NativeKv"],
    ["tokens in an array", () => untyped()["prefill"]!(model.emptyKv(), [1]), "tokens must be a Uint32Array"],
    ["a chunk of 0", () => model.prefill(model.emptyKv(), tokens, 0, newFlag(), nothing, dense), "chunkTokens must be"],
    [
      "a chunk of 1.5",
      () => model.prefill(model.emptyKv(), tokens, 1.5, newFlag(), nothing, dense),
      "chunkTokens must be",
    ],
    [
      "a flag in memory that can be detached",
      () => model.prefill(model.emptyKv(), tokens, 1, new Int32Array(1), nothing, dense),
      "cancel must be an Int32Array over a SharedArrayBuffer",
    ],
    [
      "no callback",
      () => untyped()["prefill"]!(model.emptyKv(), tokens, 1, newFlag(), undefined, dense),
      "onProgress must be a function",
    ],
    [
      "a token beyond the vocabulary",
      () => prefill(model, model.emptyKv(), Uint32Array.of(5, 320)),
      "tokens[1] is 320",
    ],
    ["no tokens", () => prefill(model, model.emptyKv(), new Uint32Array()), "at least one token"],
    ["a negative context", () => model.plan(-1, 1, 0, ""), "contextTokens must be"],
    ["a context of NaN", () => model.plan(Number.NaN, 1, 0, ""), "contextTokens must be"],
    ["more tokens held than there are", () => model.plan(1, 1, 2, ""), "heldTokens must be from 0 to contextTokens"],
    ["KV that the device has not", () => model.plan(1, 1, 0, "fp8"), "keeps no keys and values in fp8"],
    ["KV of no type", () => model.plan(1, 1, 0, "int4" as "bf16"), 'kv must be "bf16", "fp8", "f32" or empty'],
    ["a view that is too long", () => model.emptyKv().view(1), "a view of 1 tokens"],
    ["options without a field", () => untyped()["generate"]!(model.emptyKv(), tokens, {}), "maxTokens must be"],
    [
      "a temperature below 0",
      () => model.generate(model.emptyKv(), tokens, { ...greedyOptions, temperature: -1 }, newFlag(), nothing),
      "temperature must be",
    ],
    [
      "a model folder that is no string",
      () => (addon as unknown as { loadModel: (...args: unknown[]) => unknown }).loadModel(7),
      "modelDir must be a string",
    ],
  ])("%s", async (_name, call, message) => {
    const run = async (): Promise<unknown> => await call();
    await expect(run()).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining(message),
    });
  });

  it.each([
    ["/nonexistent", "auto", "model-file-missing", "/nonexistent is not a folder"],
    [goldenDir("smollm3"), "cuda:99", "device-unavailable", 'device "cuda:99"'],
    [goldenDir("smollm3"), "gpu", "device-unavailable", 'there is no device "gpu"'],
  ])("%s on %s", async (dir, device, code, message) => {
    const load = addon.loadModel(dir, { device, threads: 1, precision: "bf16" });
    await expect(load).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it("weights in fp8 without a GPU, and of a type that is not there", async () => {
    const options = { device: "cpu", threads: 1, precision: "bf16" } as const;
    const load = addon.loadModel(goldenDir("smollm3"), { ...options, weights: "fp8" });
    const message = expect.stringContaining("weights in fp8 need a GPU") as string;
    await expect(load).rejects.toMatchObject({ code: "invalid-argument", message });
    const wrong = { ...options, weights: "int8" as "fp8" };
    expect(() => addon.loadModel(goldenDir("smollm3"), wrong)).toThrow("weights");
  });

  it("a context beyond the model's", async () => {
    const tooLong = new Uint32Array(4097);
    await expect(prefill(model, model.emptyKv(), tooLong)).rejects.toMatchObject({ code: "over-budget" });
    const question = model.generate(model.emptyKv(), tooLong, greedyOptions, newFlag(), nothing);
    await expect(question).rejects.toMatchObject({ code: "question-too-long" });
  });

  it("a KV state of another model, and one that was released", async () => {
    const other = await addon.loadModel(goldenDir("smollm3"), { device: "cpu", threads: 1, precision: "f32" });
    const from = (base: NativeKv) => () => model.prefill(base, tokens, 64, newFlag(), nothing, dense);
    expect(from(other.emptyKv())).toThrow("base must be a NativeKv of this model");
    const released = model.emptyKv();
    released.release();
    expect(from(released)).toThrow("has not been released");
    expect(() => released.view(0)).toThrow("has been released");
    // The same prototype makes no KV state.
    expect(from(Object.create(model.emptyKv()) as never)).toThrow("base must be");
    other.dispose();
  });

  it("uses only codes of the catalogue", () => {
    const source = readFileSync(new URL("../../../native/engine/error.cpp", import.meta.url), "utf8");
    const codes = [...source.matchAll(/return "([\w-]+)";/g)].map((match) => match[1]!);
    expect(codes.length).toBeGreaterThan(8);
    for (const code of codes) expect(Object.keys(errorCatalogue)).toContain(code);
  });
});
