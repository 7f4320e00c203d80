/**
 * What the daemon and the engine's child process say to each other, over Node's IPC with "advanced" serialization, so
 * that token arrays travel as bytes. KV states are numbers on this wire; the worker holds the handles.
 */
import type { KvType } from "../protocol/prefill.ts";
import type {
  EngineMemory,
  Generated,
  KvChoice,
  MemoryPlan,
  ModelInfo,
  PatternScores,
  PatternTrial,
  PrefillReport,
  PrefillSettings,
  Sampling,
  WeightType,
} from "./engine.ts";

/** A KV state's number, and what there is to know of it. */
export interface KvHandle {
  readonly id: number;
  readonly tokenCount: number;
  readonly type: KvType;
  readonly sizeBytes: number;
}

/** Every call: what the daemon sends and what the worker answers. `base` null is the empty state. */
export interface EngineCalls {
  load: {
    params: { modelDir: string; device: string; threads: number; precision: KvChoice; weights: WeightType };
    result: ModelInfo;
  };
  plan: {
    params: { contextTokens: number; chunkTokens: number; heldTokens: number; kv: KvType | null };
    result: readonly MemoryPlan[];
  };
  prefill: {
    params: {
      base: number | null;
      tokens: Uint32Array;
      chunkTokens: number;
      kv: KvType | null;
      settings: PrefillSettings;
    };
    result: { kv: KvHandle; report: PrefillReport };
  };
  tryPatterns: { params: { tokens: Uint32Array; chunkTokens: number; trial: PatternTrial }; result: PatternScores };
  view: { params: { state: number; tokenCount: number }; result: KvHandle };
  generate: {
    params: {
      base: number;
      tokens: Uint32Array;
      maxTokens: number;
      chunkTokens: number;
      sampling: Sampling;
      evidenceEnds: Uint32Array;
    };
    result: Omit<Generated, "kv"> & { kv: KvHandle };
  };
  stow: { params: { state: number; mostBytes: number }; result: null };
  restore: { params: { state: number }; result: null };
  release: { params: { state: number }; result: null };
  memory: { params: null; result: EngineMemory };
}

export type CallName = keyof EngineCalls;

export type CallRequest = {
  [Name in CallName]: {
    readonly kind: "call";
    readonly call: number;
    readonly name: Name;
    readonly params: EngineCalls[Name]["params"];
  };
}[CallName];

export type ToWorker = CallRequest | { readonly kind: "cancel"; readonly call: number };

export type FromWorker =
  | { readonly kind: "result"; readonly call: number; readonly value: EngineCalls[CallName]["result"] }
  | { readonly kind: "error"; readonly call: number; readonly code: string; readonly message: string }
  | { readonly kind: "progress"; readonly call: number; readonly processedTokens: number; readonly totalTokens: number }
  | { readonly kind: "token"; readonly call: number; readonly tokenId: number };

/** One end of the wire, as the daemon sees it: a child process, or a worker in the same process for tests. */
export interface EngineChannel {
  send(message: ToWorker): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** Fires once, when the other side is gone; `reason` is for people. */
  onClosed(listener: (reason: string) => void): void;
  /** Ends the other side; resolves when it is gone. */
  close(): Promise<void>;
}
