/**
 * An addon without a model, for tests of everything around the engine: it keeps the tokens that it is given, so that a
 * wrong prefix shows in its answers, and its speed, its answers and its failures are scripted.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Addon, NativeKv, NativeModel } from "../../native/addon.d.ts";

export interface Script {
  /** Milliseconds per 2,048 tokens of a prefill. */
  readonly stepMs: number;
  /** Milliseconds per token of an answer. */
  readonly tokenMs: number;
  /** The answer's tokens, from all tokens of the context and those of the question. */
  readonly answer: (context: Uint32Array, question: Uint32Array) => readonly number[];
  /** Of the spans that a caller names by their ends; default: the device cannot tell. */
  readonly evidence?: (ends: Uint32Array) => readonly number[];
  readonly endTokenIds: readonly number[];
  readonly maxContextTokens: number;
  readonly kvBytesPerToken: number;
  /** What the machine has, for memory plans. */
  readonly totalBytes: number;
  /** Thrown by loadModel when set. */
  readonly loadFailure?: { readonly code: string; readonly message: string };
}

export const defaultScript: Script = {
  stepMs: 0,
  tokenMs: 0,
  answer: (context) => [...context.subarray(0, 8)],
  endTokenIds: [],
  maxContextTokens: 1_048_576,
  kvBytesPerToken: 1024,
  totalBytes: 4 * 1024 ** 3,
};

/** What the engine was asked to do, for tests that count work. */
export interface ScriptedWork {
  prefilledTokens: number;
  prefillCalls: number;
  generateCalls: number;
  liveStates: number;
  liveTokens: number;
}

export function scriptedAddon(script: Script, work: ScriptedWork = newWork()): Addon {
  return {
    backends: () => ["scripted"],
    instructionSet: () => "none",
    loadModel: async (_modelDir, options) => {
      await sleep(0);
      if (script.loadFailure) throw Object.assign(new Error(script.loadFailure.message), script.loadFailure);
      return scriptedModel(script, options.threads, work);
    },
  };
}

export function newWork(): ScriptedWork {
  return { prefilledTokens: 0, prefillCalls: 0, generateCalls: 0, liveStates: 0, liveTokens: 0 };
}

/** Between two reports of progress; a real chunk reports layer by layer. */
const stepTokens = 2048;

const denseReport = {
  sparse: false,
  densePairs: 1,
  keptPairs: 1,
  guardPairs: 0,
  recallSum: 0,
  recallCount: 0,
  recallLeast: 1,
  attentionMs: 0,
  indexMs: 0,
  logLikelihood: 0,
  scoredTokens: 0,
};

/** Handles share nothing here; the real engine's share segments, which callers cannot see. */
const tokensOf = new WeakMap<NativeKv, Uint32Array>();

function scriptedModel(script: Script, threads: number, work: ScriptedWork): NativeModel {
  const makeKv = (tokens: Uint32Array): NativeKv => {
    work.liveStates += 1;
    work.liveTokens += tokens.length;
    let live = true;
    const kv: NativeKv = {
      tokenCount: tokens.length,
      view: (tokenCount) => makeKv(tokens.slice(0, tokenCount)),
      release: () => {
        if (!live) return;
        live = false;
        work.liveStates -= 1;
        work.liveTokens -= tokens.length;
      },
    };
    tokensOf.set(kv, tokens);
    return kv;
  };
  const read = (kv: NativeKv): Uint32Array => tokensOf.get(kv) ?? new Uint32Array();

  return {
    info: () => ({
      architecture: "Scripted",
      layers: 1,
      attentionHeads: 1,
      hiddenSize: 1,
      vocabularySize: 1 << 20,
      maxContextTokens: script.maxContextTokens,
      weightsBytes: 0,
      kvBytesPerToken: script.kvBytesPerToken,
      device: "cpu",
      deviceName: "",
      deviceBytes: 0,
      instructionSet: "none",
      threads,
      endTokenIds: [...script.endTokenIds],
    }),
    plan: (contextTokens) => ({
      weightsBytes: 0,
      kvBytes: contextTokens * script.kvBytesPerToken,
      workspaceBytes: 0,
      requiredBytes: contextTokens * script.kvBytesPerToken,
      availableBytes: script.totalBytes - work.liveTokens * script.kvBytesPerToken,
    }),
    emptyKv: () => makeKv(new Uint32Array()),
    prefill: async (base, tokens, chunkTokens, cancel, onProgress) => {
      work.prefillCalls += 1;
      for (let done = 0; done < tokens.length;) {
        if (script.stepMs > 0) await sleep(script.stepMs);
        if (Atomics.load(cancel, 0) !== 0) throw Object.assign(new Error("cancelled"), { code: "cancelled" });
        const step = Math.min(chunkTokens, stepTokens, tokens.length - done);
        done += step;
        work.prefilledTokens += step;
        onProgress(done, tokens.length);
      }
      return { kv: makeKv(concatenate(read(base), tokens)), report: denseReport };
    },
    // No attention, so nothing to try.
    tryPatterns: () => Promise.resolve({ layers: [], chunks: 0, rows: 0, candidates: [] }),
    generate: async (base, tokens, options, cancel, onToken) => {
      work.generateCalls += 1;
      const context = concatenate(read(base), tokens);
      const tokenIds: number[] = [];
      let stopReason: "end-token" | "max-tokens" | "cancelled" = "end-token";
      for (const tokenId of script.answer(context, tokens)) {
        if (script.tokenMs > 0) await sleep(script.tokenMs);
        if (Atomics.load(cancel, 0) !== 0) stopReason = "cancelled";
        else if (tokenIds.length === options.maxTokens) stopReason = "max-tokens";
        else {
          tokenIds.push(tokenId);
          onToken(tokenId);
          continue;
        }
        break;
      }
      const kv = makeKv(concatenate(context, Uint32Array.from(tokenIds.slice(0, -1))));
      const shares = options.evidenceEnds.length > 0 ? (script.evidence?.(options.evidenceEnds) ?? []) : [];
      const evidence = Float64Array.from(shares);
      const times = { firstTokenMs: script.tokenMs, decodeMs: script.tokenMs * tokenIds.length };
      return { tokenIds, stopReason, ...times, evidence, evidenceMass: 0.75, kv };
    },
    logits: async () => {
      await sleep(0);
      return new Float32Array(1);
    },
    memory: () => ({ peakBytes: process.memoryUsage.rss(), kvBytes: 0, kvStates: work.liveStates }),
    dispose: () => undefined,
  };
}

function concatenate(first: Uint32Array, second: Uint32Array): Uint32Array {
  const joined = new Uint32Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
