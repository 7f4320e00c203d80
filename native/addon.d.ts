/** The N-API addon, typed in one place. Loaded only by daemon/engine/native-worker.ts, in the engine's child process. */

/** What keys and values are kept in. */
export type NativeKvType = "bf16" | "fp8" | "f32";

/** Thrown and rejected errors carry `code`, from daemon/protocol/errors.ts. */
export interface NativeModel {
  info(): {
    architecture: string;
    layers: number;
    /** Query heads of a layer. */
    attentionHeads: number;
    hiddenSize: number;
    vocabularySize: number;
    maxContextTokens: number;
    weightsBytes: number;
    /** Of a new prefix when nobody asks for another type. */
    kv: NativeKvType;
    kvBytesPerToken: number;
    device: string;
    deviceName: string;
    deviceBytes: number;
    instructionSet: string;
    threads: number;
    endTokenIds: number[];
  };
  /**
   * Ways to have a context of which the first `heldTokens` are held already, the best first and each with less memory than those
   * before; see MemoryPlan in daemon/engine/engine.ts. `availableBytes` is what the machine has free now.
   */
  plan(
    contextTokens: number,
    /** The longest chunk to plan for. */
    chunkTokens: number,
    heldTokens: number,
    /** Of the held KV; empty: whatever a new prefix may have. */
    kv: NativeKvType | "",
  ): {
    kv: NativeKvType;
    chunkTokens: number;
    weightsBytes: number;
    kvBytes: number;
    workspaceBytes: number;
    requiredBytes: number;
    availableBytes: number;
  }[];
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
      /** Of the KV of a new prefix; empty: the first that `plan` names. What has a base is of the base's type. */
      kv: NativeKvType | "";
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
   * Prefills `tokens` densely, and on the way runs every candidate over the attention of some chunks: how far its output is from
   * the dense one, and what it costs. Progress, cancellation and failures as in `prefill`; the KV is dropped.
   */
  tryPatterns(
    tokens: Uint32Array,
    chunkTokens: number,
    cancel: Int32Array,
    onProgress: (processedTokens: number, totalTokens: number) => void,
    trial: {
      /** Head-pattern files as text; throws "invalid-argument" when one does not fit the model. */
      candidates: string[];
      /** What vertical-slash heads cover at a chunk's end, filled up to it; the pattern's own numbers bound the lines. */
      budgetKeys: number;
      /** Chunks to look at, evenly spread, the last one among them. */
      sampledChunks: number;
      /** Runs of each, of which the fastest is told. */
      repeats: number;
    },
  ): Promise<{
    /** Those with full attention, less the last one of all, of whose output a prefill keeps nothing. */
    layers: number[];
    /** That were looked at. */
    chunks: number;
    /** Of those chunks together. */
    rows: number;
    candidates: {
      /** Summed over layers and chunks. */
      attentionMs: number;
      indexMs: number;
      /** Query-key pairs computed for that. */
      pairs: number;
      /** [layers, heads], means over the chunks: relative L2 error of the output, share of attention kept, keys computed per row. */
      error: Float64Array;
      recall: Float64Array;
      keys: Float64Array;
    }[];
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
      /** Ascending ends of spans of `base`, the first from token 0 on; empty: nobody asks where the attention went. */
      evidenceEnds: Uint32Array;
    },
    cancel: Int32Array,
    onToken: (tokenId: number) => void,
  ): Promise<{
    tokenIds: number[];
    stopReason: "end-token" | "max-tokens" | "cancelled";
    firstTokenMs: number;
    decodeMs: number;
    /** Shares per span; see Generated in daemon/engine/engine.ts. Empty: not asked for, or the device cannot tell. */
    evidence: Float64Array;
    evidenceMass: number;
    kv: NativeKv;
  }>;
  /** fp32 logits [vocabularySize] of the position after the last token of base + tokens; for tests and bench. */
  logits(base: NativeKv, tokens: Uint32Array, chunkTokens: number): Promise<Float32Array>;
  /** `kvBytes`: on the device; `hostKvBytes`: what is stowed. */
  memory(): { peakBytes: number; kvBytes: number; hostKvBytes: number; kvStates: number };
  /** Cancels what runs; what waits, and every later call, fails with code "engine-stopped". */
  dispose(): void;
}

export interface NativeKv {
  readonly tokenCount: number;
  /** Empty once it has been released. */
  readonly type: NativeKvType | "";
  /** That its tokens take. */
  readonly bytes: number;
  /** Where it lies; `host` from a `stow` to a `restore`, and of no use to the model meanwhile. Empty once it has been released. */
  readonly place: "device" | "host" | "";
  /**
   * Moves it to the machine's own memory, beside whatever the model does. Rejects with code "not-enough-memory", and leaves it where it
   * is, when the model's stowed KV would be more than `mostBytes`.
   */
  stow(mostBytes: number): Promise<void>;
  /** Moves it back to the device. Rejects with code "not-enough-memory" and leaves it where it is. */
  restore(): Promise<void>;
  /** The first `tokenCount` tokens, sharing segments. */
  view(tokenCount: number): NativeKv;
  /** Frees this handle now; segments live while any handle uses them. */
  release(): void;
}

export interface Addon {
  /** `precision`: "f32" (exact, for tests), or what KV may be kept in; activations may then be rounded for bf16 dot products. */
  loadModel(
    modelDir: string,
    /** `fp8`: on a GPU only. `auto`: bf16, and on a GPU fp8 for who asks for it. */
    options: {
      device: string;
      threads: number;
      precision: "auto" | "bf16" | "fp8" | "f32";
      /** Of the linear layers; default "bf16". `fp8`: half the memory, on a GPU. */
      weights?: "bf16" | "fp8";
    },
  ): Promise<NativeModel>;
  /** Backends compiled in, such as ["cpu"] or ["cpu", "cuda"]. */
  backends(): string[];
  instructionSet(): string;
}
