/**
 * The engine interface: what the daemon asks of a backend, whether native (in a child process) or scripted (for tests).
 * Token arrays live on this side only; the client protocol never carries them.
 */

import type { DeviceName } from "../protocol/device.ts";
import type { KvType } from "../protocol/prefill.ts";

/** `auto`: bf16, or fp8 when who prefills asks for it and the device has it. */
export type KvChoice = "auto" | KvType;
/** What the weights of linear layers are kept in; fp8 on a GPU only. */
export type WeightType = "bf16" | "fp8";

/** What a loaded model is. Sizes in bytes, lengths in tokens. */
export interface ModelInfo {
  readonly modelDir: string;
  readonly architecture: string;
  readonly layers: number;
  /** Query heads of a layer. */
  readonly attentionHeads: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** Longest context the model's config allows. */
  readonly maxContextTokens: number;
  readonly weightsBytes: number;
  /** What a new prefix is kept in when nobody asks for another type. */
  readonly kv: KvType;
  readonly kvBytesPerToken: number;
  /** "cpu" or "cuda:N". */
  readonly device: string;
  /** The product's name, such as "NVIDIA H200"; empty for the CPU. */
  readonly deviceName: string;
  /** The device's own memory; 0 when it shares the machine's. */
  readonly deviceBytes: number;
  /** In use: "avx2", or a GPU's "sm_90". */
  readonly instructionSet: string;
  readonly threads: number;
  /** Ids that end a generation, from generation_config.json or config.json. */
  readonly endTokenIds: readonly number[];
}

/**
 * A way to have a context, made before the work; the work is refused when `requiredBytes > availableBytes`. Weights stand on both
 * sides.
 */
export interface MemoryPlan {
  readonly kv: KvType;
  readonly chunkTokens: number;
  readonly weightsBytes: number;
  /** Of the tokens that are not held yet. */
  readonly kvBytes: number;
  readonly workspaceBytes: number;
  readonly requiredBytes: number;
  readonly availableBytes: number;
}

/** A KV state in the engine: an immutable list of segments. Opaque; freed by `release`. */
export interface KvState {
  readonly id: number;
  readonly tokenCount: number;
  readonly type: KvType;
  /** That its tokens take, though it may share them. */
  readonly sizeBytes: number;
}

export interface PrefillSettings {
  /** `auto`: sparse where the engine has measured that it pays. */
  readonly mode: "auto" | "dense" | "sparse";
  /** A head-pattern file; null: the safe default. */
  readonly patterns: string | null;
  /** Recall under which a head gets a larger budget, 0 to 1; 0: the guard is off; null: each head's own, else 0.95. */
  readonly recallFloor: number | null;
  /**
   * The report tells how likely `tokens[scoreFrom]` and the following ones are, given those before them. Default: nothing is
   * scored, which saves the last layer.
   */
  readonly scoreFrom?: number;
}

/** What one prefill did. Pairs of query and key are counted over the heads of layers with full attention. */
export interface PrefillReport {
  readonly sparse: boolean;
  /** What dense attention computes, what was computed, and what of that the guard added. */
  readonly densePairs: number;
  readonly keptPairs: number;
  readonly guardPairs: number;
  /** Recall summed over sparse heads and chunks, of how many, and the least of them (1 when there are none). */
  readonly recallSum: number;
  readonly recallCount: number;
  readonly recallLeast: number;
  /** Attention of the layers with full attention; and estimate, index and guard, which it leaves out. */
  readonly attentionMs: number;
  readonly indexMs: number;
  /** Natural log-likelihood, summed over the scored tokens. */
  readonly logLikelihood: number;
  readonly scoredTokens: number;
}

export interface Prefilled {
  readonly kv: KvState;
  readonly report: PrefillReport;
}

/** Head patterns to be tried side by side on one text. */
export interface PatternTrial {
  /** Head-pattern files, as text. */
  readonly candidates: readonly string[];
  /** Keys that vertical-slash heads cover at a chunk's end. */
  readonly budgetKeys: number;
  /** Chunks that are looked at, evenly spread, the last one among them. */
  readonly sampledChunks: number;
  /** Runs of each, of which the fastest counts. */
  readonly repeats: number;
}

export interface CandidateScore {
  /** Summed over layers and chunks. */
  readonly attentionMs: number;
  readonly indexMs: number;
  /** Query-key pairs computed for that. */
  readonly pairs: number;
  /** [layers, heads], means over the chunks: relative error of the output, share of attention kept, keys computed per row. */
  readonly error: Float64Array;
  readonly recall: Float64Array;
  readonly keys: Float64Array;
}

export interface PatternScores {
  /** Those with full attention, less the last one of all, of whose output a prefill keeps nothing. */
  readonly layers: readonly number[];
  /** Chunks that were looked at. */
  readonly chunks: number;
  /** Of those chunks together. */
  readonly rows: number;
  /** As in the trial. */
  readonly candidates: readonly CandidateScore[];
}

export interface PrefillProgress {
  readonly processedTokens: number;
  readonly totalTokens: number;
}

export interface Sampling {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
}

export type StopReason = "end-token" | "max-tokens" | "cancelled";

export interface Generated {
  readonly tokenIds: readonly number[];
  readonly stopReason: StopReason;
  /** Prefill of the appended tokens, up to the first sampled token. */
  readonly firstTokenMs: number;
  readonly decodeMs: number;
  /**
   * Where the attention of the rows lay that the answer's tokens were sampled from, in the layers that see all of the context:
   * a share per span of `evidenceEnds`, 1 in all, each head weighing as it is concentrated. The first span takes no part: attention
   * rests on the first tokens whatever is asked (arXiv 2309.17453). Empty when it was not asked for, or the device cannot tell.
   */
  readonly evidence: Float64Array;
  /** Of all attention of those rows, what went to the spans behind the first; every head weighs the same. */
  readonly evidenceMass: number;
  /** base + appended + generated (less the last token, which was sampled but not fed). */
  readonly kv: KvState;
}

export interface EngineMemory {
  /** Peak resident bytes of the engine process so far. */
  readonly peakBytes: number;
  /** On the device. */
  readonly kvBytes: number;
  /** What is stowed. */
  readonly hostKvBytes: number;
  readonly kvStates: number;
}

/** Every method rejects with an EngineError whose `code` is from the catalogue (daemon/protocol/errors.ts). */
export interface Engine {
  /** `kv`: what keys and values may be kept in; fp8 takes half the memory, on a GPU only. Default: `auto`. */
  load(
    modelDir: string,
    options: { device: DeviceName; threads?: number; kv?: KvChoice; weights?: WeightType },
  ): Promise<ModelInfo>;
  /**
   * Ways to have a context, the best first and each with less memory than those before; never empty. Chunks are at most
   * `chunkTokens`.
   *
   * @param held what of it is held already; it keeps its type
   */
  plan(
    contextTokens: number,
    chunkTokens: number,
    held?: { readonly tokens: number; readonly kv: KvType },
  ): Promise<readonly MemoryPlan[]>;
  /**
   * Appends `tokens` to `base` (null: empty) as a new immutable segment. `base` stays valid and is not copied. Rejects with
   * `invalid-argument` when the pattern file does not fit the model.
   */
  prefill(
    base: KvState | null,
    tokens: Uint32Array,
    options: {
      chunkTokens: number;
      /** Of a new prefix; default: the first that `plan` names. What has a base is of the base's type. */
      kv?: KvType;
      settings: PrefillSettings;
      signal: AbortSignal;
      onProgress: (progress: PrefillProgress) => void;
    },
  ): Promise<Prefilled>;
  /**
   * Prefills `tokens` densely, drops the KV, and tells what each candidate made of the attention on the way. Rejects as
   * `prefill` does.
   */
  tryPatterns(
    tokens: Uint32Array,
    options: {
      chunkTokens: number;
      trial: PatternTrial;
      signal: AbortSignal;
      onProgress: (progress: PrefillProgress) => void;
    },
  ): Promise<PatternScores>;
  /** The first `tokenCount` tokens of `state`, sharing its segments. */
  view(state: KvState, tokenCount: number): Promise<KvState>;
  /** Forks `base`, appends `tokens`, then samples until an end token, `maxTokens` or the signal. */
  generate(
    base: KvState,
    tokens: Uint32Array,
    options: {
      maxTokens: number;
      chunkTokens: number;
      sampling: Sampling;
      /** Where the spans of `base` end whose evidence is wanted: ascending, the first span from token 0 on. */
      evidenceEnds?: Uint32Array;
      signal: AbortSignal;
      onToken: (tokenId: number) => void;
    },
  ): Promise<Generated>;
  /**
   * Moves the state to the machine's own memory, beside whatever the engine does; until `restore` it can only be released. Rejects
   * with `not-enough-memory`, and leaves it where it is, when all that is stowed would be more than `mostBytes`.
   */
  stow(state: KvState, mostBytes: number): Promise<void>;
  /** Rejects with `not-enough-memory`, and leaves the state where it is. */
  restore(state: KvState): Promise<void>;
  release(state: KvState): Promise<void>;
  memory(): Promise<EngineMemory>;
  /** Ends the engine (and its process); pending calls reject with `engine-stopped`. */
  dispose(): Promise<void>;
  /** Fires once if the engine dies by itself; pending calls have been rejected with `engine-died` by then. */
  readonly onDied: (listener: (reason: string) => void) => void;
}
