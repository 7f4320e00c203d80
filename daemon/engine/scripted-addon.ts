/**
 * An addon without a model, for tests of everything around the engine: it keeps the tokens that it is given, so that a
 * wrong prefix shows in its answers, and its speed, its answers and its failures are scripted.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Addon, NativeKv, NativeKvType, NativeModel } from "../../native/addon.d.ts";

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
  /** In bf16; fp8 takes half of it. */
  readonly kvBytesPerToken: number;
  /** What a new prefix may be kept in, the best first. */
  readonly kvTypes: readonly ("bf16" | "fp8")[];
  /** Per token of a chunk. */
  readonly workspaceBytesPerToken: number;
  /** What the machine has, for memory plans. */
  readonly totalBytes: number;
  /** What another process has taken of it, which no plan sees: a prefill that then lacks it fails. Default: nothing. */
  readonly takenBytes?: () => number;
  /** The device's own memory; 0: it shares the machine's. */
  readonly deviceBytes: number;
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
  kvTypes: ["bf16"],
  workspaceBytesPerToken: 0,
  deviceBytes: 0,
  totalBytes: 4 * 1024 ** 3,
};

/** What the engine was asked to do, for tests that count work. */
export interface ScriptedWork {
  prefilledTokens: number;
  prefillCalls: number;
  generateCalls: number;
  liveStates: number;
  /** Of the device; and of the machine's memory. */
  liveBytes: number;
  stowedBytes: number;
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
  return { prefilledTokens: 0, prefillCalls: 0, generateCalls: 0, liveStates: 0, liveBytes: 0, stowedBytes: 0 };
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

/** Chunks are halved down to this, as the real engine's are. */
const leastChunk = 8192;

function scriptedModel(script: Script, threads: number, work: ScriptedWork): NativeModel {
  const [firstType = "bf16"] = script.kvTypes;
  const bytesOf = (tokens: number, type: NativeKvType): number =>
    type === "fp8" ? (tokens * script.kvBytesPerToken) / 2 : tokens * script.kvBytesPerToken;
  const makeKv = (tokens: Uint32Array, type: NativeKvType): NativeKv => {
    const bytes = bytesOf(tokens.length, type);
    work.liveStates += 1;
    work.liveBytes += bytes;
    let place: NativeKv["place"] = "device";
    const kv: NativeKv = {
      tokenCount: tokens.length,
      type,
      bytes,
      get place() {
        return place;
      },
      stow: async (mostBytes) => {
        await sleep(script.stepMs);
        if (work.stowedBytes + bytes > mostBytes) throw notEnoughMemory("the machine gave no memory for a KV state");
        work.liveBytes -= bytes;
        work.stowedBytes += bytes;
        place = "host";
      },
      restore: async () => {
        await sleep(script.stepMs);
        if (script.takenBytes && bytes > script.totalBytes - work.liveBytes - script.takenBytes()) {
          throw notEnoughMemory("the device gave no memory for the KV cache");
        }
        work.liveBytes += bytes;
        work.stowedBytes -= bytes;
        place = "device";
      },
      view: (tokenCount) => {
        if (place !== "device") throw new Error("a view of KV that is stowed");
        return makeKv(tokens.slice(0, tokenCount), type);
      },
      release: () => {
        if (place === "") return;
        if (place === "host") work.stowedBytes -= bytes;
        else work.liveBytes -= bytes;
        work.liveStates -= 1;
        place = "";
      },
    };
    tokensOf.set(kv, tokens);
    return kv;
  };
  const typeOf = (kv: NativeKv): NativeKvType => (kv.type === "" ? firstType : kv.type);
  const read = (kv: NativeKv): Uint32Array => {
    if (kv.place !== "device") throw new Error("KV that is not on the device was used");
    return tokensOf.get(kv) ?? new Uint32Array();
  };

  return {
    info: () => ({
      architecture: "Scripted",
      layers: 1,
      attentionHeads: 1,
      hiddenSize: 1,
      vocabularySize: 1 << 20,
      maxContextTokens: script.maxContextTokens,
      weightsBytes: 0,
      kv: firstType,
      kvBytesPerToken: script.kvBytesPerToken,
      device: "cpu",
      deviceName: "",
      deviceBytes: script.deviceBytes,
      instructionSet: "none",
      threads,
      endTokenIds: [...script.endTokenIds],
    }),
    plan: (contextTokens, chunkTokens, heldTokens, heldType) => {
      const choices: ReturnType<NativeModel["plan"]> = [];
      for (const kv of heldType === "" ? script.kvTypes : [heldType]) {
        for (let chunk = chunkTokens; chunk === chunkTokens || chunk >= leastChunk; chunk /= 2) {
          const kvBytes = bytesOf(contextTokens - heldTokens, kv);
          const workspaceBytes = Math.min(chunk, contextTokens - heldTokens) * script.workspaceBytesPerToken;
          const requiredBytes = kvBytes + workspaceBytes;
          const availableBytes = script.totalBytes - work.liveBytes;
          const last = choices.at(-1);
          if (last && last.requiredBytes <= requiredBytes) continue;
          choices.push({
            kv,
            chunkTokens: chunk,
            weightsBytes: 0,
            kvBytes,
            workspaceBytes,
            requiredBytes,
            availableBytes,
          });
        }
      }
      return choices;
    },
    emptyKv: () => makeKv(new Uint32Array(), firstType),
    prefill: async (base, tokens, chunkTokens, cancel, onProgress, settings) => {
      work.prefillCalls += 1;
      const type = base.tokenCount > 0 ? typeOf(base) : settings.kv === "" ? firstType : settings.kv;
      const needed =
        bytesOf(tokens.length, type) + Math.min(chunkTokens, tokens.length) * script.workspaceBytesPerToken;
      if (script.takenBytes && needed > script.totalBytes - work.liveBytes - script.takenBytes()) {
        throw notEnoughMemory("the device gave no memory for the KV cache");
      }
      for (let done = 0; done < tokens.length;) {
        if (script.stepMs > 0) await sleep(script.stepMs);
        if (Atomics.load(cancel, 0) !== 0) throw Object.assign(new Error("cancelled"), { code: "cancelled" });
        const step = Math.min(chunkTokens, stepTokens, tokens.length - done);
        done += step;
        work.prefilledTokens += step;
        onProgress(done, tokens.length);
      }
      return { kv: makeKv(concatenate(read(base), tokens), type), report: denseReport };
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
      const kv = makeKv(concatenate(context, Uint32Array.from(tokenIds.slice(0, -1))), typeOf(base));
      const shares = options.evidenceEnds.length > 0 ? (script.evidence?.(options.evidenceEnds) ?? []) : [];
      const evidence = Float64Array.from(shares);
      const times = { firstTokenMs: script.tokenMs, decodeMs: script.tokenMs * tokenIds.length };
      return { tokenIds, stopReason, ...times, evidence, evidenceMass: 0.75, kv };
    },
    logits: async () => {
      await sleep(0);
      return new Float32Array(1);
    },
    memory: () => ({
      peakBytes: process.memoryUsage.rss(),
      kvBytes: work.liveBytes,
      hostKvBytes: work.stowedBytes,
      kvStates: work.liveStates,
    }),
    dispose: () => undefined,
  };
}

function notEnoughMemory(message: string): Error {
  return Object.assign(new Error(message), { code: "not-enough-memory" });
}

function concatenate(first: Uint32Array, second: Uint32Array): Uint32Array {
  const joined = new Uint32Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
