/** What the slices of one prefill report, summed, and as the record that clients see. */
import type { PrefillReport } from "../engine/engine.ts";
import type { PrefilledMode, PrefillRecord } from "../protocol/prefill.ts";
import type { HeldPrefix } from "./held-prefix.ts";

export const emptyReport: PrefillReport = {
  sparse: false,
  densePairs: 0,
  keptPairs: 0,
  guardPairs: 0,
  recallSum: 0,
  recallCount: 0,
  recallLeast: 1,
  attentionMs: 0,
  indexMs: 0,
  logLikelihood: 0,
  scoredTokens: 0,
};

export function addReports(first: PrefillReport, second: PrefillReport): PrefillReport {
  return {
    sparse: first.sparse || second.sparse,
    densePairs: first.densePairs + second.densePairs,
    keptPairs: first.keptPairs + second.keptPairs,
    guardPairs: first.guardPairs + second.guardPairs,
    recallSum: first.recallSum + second.recallSum,
    recallCount: first.recallCount + second.recallCount,
    recallLeast: Math.min(first.recallLeast, second.recallLeast),
    attentionMs: first.attentionMs + second.attentionMs,
    indexMs: first.indexMs + second.indexMs,
    logLikelihood: first.logLikelihood + second.logLikelihood,
    scoredTokens: first.scoredTokens + second.scoredTokens,
  };
}

/** How a context was computed, for the records of open and ask. */
export function toRecord({ report, kv, chunkTokens, reduced }: HeldPrefix): {
  mode: PrefilledMode;
  prefill: PrefillRecord;
} {
  const share = (part: number): number => (report.densePairs > 0 ? thousandths(part / report.densePairs) : 0);
  const prefill: PrefillRecord = {
    recall: {
      mean: report.recallCount > 0 ? thousandths(report.recallSum / report.recallCount) : 1,
      least: thousandths(report.recallLeast),
    },
    sparsity: share(report.densePairs - report.keptPairs),
    guardShare: share(report.guardPairs),
    kv: kv.type,
    chunkTokens,
    reduced,
  };
  return { mode: report.sparse ? "sparse" : "dense", prefill };
}

function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}
