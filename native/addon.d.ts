/** The N-API addon, typed in one place. Loaded only by daemon/engine/native-worker.ts, in the engine's child process. */

/** Thrown and rejected errors carry `code`, from daemon/protocol/errors.ts. */
export interface NativeModel {
  info(): {
    architecture: string;
    layers: number;
    hiddenSize: number;
    vocabularySize: number;
    maxContextTokens: number;
    weightsBytes: number;
    kvBytesPerToken: number;
    device: string;
    instructionSet: string;
    threads: number;
    endTokenIds: number[];
  };
  /** Bytes; see MemoryPlan in daemon/engine/engine.ts. `availableBytes` is what the machine has free now. */
  plan(
    contextTokens: number,
    chunkTokens: number,
  ): {
    weightsBytes: number;
    kvBytes: number;
    workspaceBytes: number;
    requiredBytes: number;
    availableBytes: number;
  };
  /** An empty KV state. */
  emptyKv(): NativeKv;
  /**
   * `onProgress(processed, total)` after each chunk, and within it after each layer (coalesced: only the newest figure). Not 0 in
   * `cancel[0]` (an Int32Array over a SharedArrayBuffer) stops it within a tile: rejects with code "cancelled".
   */
  prefill(
    base: NativeKv,
    tokens: Uint32Array,
    chunkTokens: number,
    cancel: Int32Array,
    onProgress: (processedTokens: number, totalTokens: number) => void,
    settings: {
      mode: "auto" | "dense" | "sparse";
      /** A head-pattern file; empty: a default pattern. Throws "invalid-argument" when it does not fit the model. */
      patterns: string;
      /** 0 to 1; 0: the recall is measured and left as it is. -1: each head's own, from the pattern file, else 0.95. */
      recallFloor: number;
      /** 0: off. Else the report tells how likely tokens[scoreFrom] and the following ones are, given those before them. */
      scoreFrom: number;
    },
  ): Promise<{
    kv: NativeKv;
    /** See PrefillReport in daemon/engine/engine.ts. */
    report: {
      sparse: boolean;
      densePairs: number;
      keptPairs: number;
      guardPairs: number;
      recallSum: number;
      recallCount: number;
      recallLeast: number;
      attentionMs: number;
      indexMs: number;
      logLikelihood: number;
      scoredTokens: number;
    };
  }>;
  /**
   * Resolves also when cancelled (stopReason "cancelled"). `onToken` is called once per sampled token, in order, an end token
   * included; all calls come before the promise resolves. `kv` is base + tokens + sampled tokens less the last one, which was not fed.
   */
  generate(
    base: NativeKv,
    tokens: Uint32Array,
    options: {
      maxTokens: number;
      chunkTokens: number;
      temperature: number;
      topK: number;
      topP: number;
      seed: number;
      endTokenIds: number[];
    },
    cancel: Int32Array,
    onToken: (tokenId: number) => void,
  ): Promise<{
    tokenIds: number[];
    stopReason: "end-token" | "max-tokens" | "cancelled";
    firstTokenMs: number;
    decodeMs: number;
    kv: NativeKv;
  }>;
  /** fp32 logits [vocabularySize] of the position after the last token of base + tokens; for tests and bench. */
  logits(base: NativeKv, tokens: Uint32Array, chunkTokens: number): Promise<Float32Array>;
  memory(): { peakBytes: number; kvBytes: number; kvStates: number };
  /** Cancels what runs; what waits, and every later call, fails with code "engine-stopped". */
  dispose(): void;
}

export interface NativeKv {
  readonly tokenCount: number;
  /** The first `tokenCount` tokens, sharing segments. */
  view(tokenCount: number): NativeKv;
  /** Frees this handle now; segments live while any handle uses them. */
  release(): void;
}

export interface Addon {
  /** `precision`: "bf16" (KV in bf16, activations may be rounded for bf16 dot products) or "f32" (exact, for tests). */
  loadModel(
    modelDir: string,
    options: { device: string; threads: number; precision: "bf16" | "f32" },
  ): Promise<NativeModel>;
  /** Backends compiled in, such as ["cpu"] or ["cpu", "cuda"]. */
  backends(): string[];
  instructionSet(): string;
}
