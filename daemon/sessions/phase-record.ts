import type { ProgressRecord } from "../protocol/progress.ts";

/** A report of a phase of which there is little to measure; what is not given is zero. */
export function phaseRecord(phase: ProgressRecord["phase"], figures: Partial<ProgressRecord> = {}): ProgressRecord {
  return {
    phase,
    totalTokens: 0,
    cachedTokens: 0,
    processedTokens: 0,
    elapsedMs: 0,
    tokensPerSecond: 0,
    etaMs: null,
    ...figures,
  };
}
