/** How a repository's KV is computed, and what sparse attention kept of it. */

/** `auto`: sparse where that is measured to be faster on this machine, else dense. */
export const prefillModes = ["auto", "dense", "sparse"] as const;
export type PrefillMode = (typeof prefillModes)[number];

/** What keys and values are kept in: bf16, or fp8 (e4m3 with scales) in half the memory. */
export const kvTypes = ["bf16", "fp8"] as const;
export type KvType = (typeof kvTypes)[number];

/** What a request may ask of the prefill; each of them is part of what makes a KV reusable. */
export interface PrefillChoice {
  /** Default `auto`. */
  readonly prefill?: PrefillMode;
  /** Absolute path of a head-pattern file; default: the model's own, else a pattern that is safe for any model. */
  readonly patterns?: string;
  /**
   * The share of attention under which a head gets a larger budget, 0 to 1. 0: the guard is off. Default: each head's own from
   * the pattern file, else 0.95.
   */
  readonly recallFloor?: number;
}

/** `sparse` when any layer of any part of the context was. */
export type PrefilledMode = "dense" | "sparse";

/** Shares from 0 to 1. A dense prefill keeps everything: recall 1, sparsity 0. */
export interface PrefillRecord {
  /** Of the attention that the sparse heads had, what they kept: measured on the last queries of every chunk. */
  readonly recall: { readonly mean: number; readonly least: number };
  /** Of the query-key pairs of full attention, those that were not computed. */
  readonly sparsity: number;
  /** Of the same pairs, those that the guard added since a head was under its floor. */
  readonly guardShare: number;
  readonly kv: KvType;
  /** Tokens that went through the model at once; the least, when the context was computed in several goes. */
  readonly chunkTokens: number;
  /** Memory was too short for the best way to hold and compute the context: `kv` or `chunkTokens` is less than that. */
  readonly reduced: boolean;
}
