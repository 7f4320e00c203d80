/**
 * The patterns that are tried, each brought to the same cost in the kernel: that of a vertical-slash head which covers the
 * budget. What a pair of query and key costs differs between patterns (gathered columns, blocks that must be chosen), so it is
 * measured first, on a text, and the sizes follow from it.
 */
import type { CandidateScore } from "../engine/engine.ts";
import type { HeadPattern, PatternName } from "./head-pattern-file.ts";

export interface Candidate extends HeadPattern {
  readonly label: string;
}

/** Of one kind of pattern, in this kernel on this machine. */
export interface KindCost {
  readonly nsPerPair: number;
  /** Estimate and choice of lines, per row of a head. */
  readonly indexNsPerRow: number;
  /** Keys computed per row of a head, in the measurement. */
  readonly keys: number;
}

export type Costs = Readonly<Record<PatternName, KindCost>>;

export const patternNames: readonly PatternName[] = ["stream_llm", "vertical_and_slash", "block_sparse"];

/** Keys of a block in `block_sparse`. */
const blockKeys = 64;
/** MInference's A-shape has 1,024 first and 4,096 last keys. */
const firstShare = 1 / 5;
/** Another one, for heads that want little but the start's own. */
const fewFirstShare = 1 / 16;
/** As many lines as the budget pays for. */
const unbounded = 6096;
/** Of the budget, for vertical-slash heads whose columns are bounded so that the rest goes to slashes. */
const columnShares = [0.4, 0.15];
/** Slash offsets of a vertical-slash head of nearly only columns: four bands of 16. */
const fewOffsets = 64;

/** One candidate of each kind, of about the budget's size: what costs are measured with. */
export function measuredCandidates(keys: number): Candidate[] {
  return [
    aShape(keys, firstShare),
    vertical("vertical-slash", 1000, unbounded),
    { label: "block-sparse", name: "block_sparse", a: Math.max(1, Math.round(keys / blockKeys)), b: 0 },
  ];
}

/** From the scores of `measuredCandidates`. */
export function costsOf(scores: readonly CandidateScore[]): Costs {
  const cost = (at: number): KindCost => {
    const score = scores[at];
    if (score === undefined || score.pairs <= 0) throw new Error("the engine measured no attention");
    const keys = meanOf(score.keys);
    const rows = score.pairs / keys;
    return { nsPerPair: (1e6 * score.attentionMs) / score.pairs, indexNsPerRow: (1e6 * score.indexMs) / rows, keys };
  };
  return { stream_llm: cost(0), vertical_and_slash: cost(1), block_sparse: cost(2) };
}

/** Keys per row that each kind may compute, so that all cost what vertical-slash does for `keys`. */
export function equalKeys(costs: Costs, keys: number): Readonly<Record<PatternName, number>> {
  const slash = costs.vertical_and_slash;
  const target = keys * slash.nsPerPair + slash.indexNsPerRow;
  const of = ({ nsPerPair, indexNsPerRow }: KindCost): number => Math.max(1, (target - indexNsPerRow) / nsPerPair);
  return { stream_llm: of(costs.stream_llm), vertical_and_slash: keys, block_sparse: of(costs.block_sparse) };
}

export function sizedCandidates(costs: Costs, keys: number): Candidate[] {
  const equal = equalKeys(costs, keys);
  const [measured] = measuredCandidates(keys);
  if (measured === undefined) throw new Error("there is no A-shape");
  // A row block covers its own rows too, so an A-shape computes more keys than it names.
  const beside = costs.stream_llm.keys - (measured.a + measured.b);
  const named = Math.max(2, equal.stream_llm - beside);
  return [
    aShape(named, firstShare),
    aShape(named, fewFirstShare, "A-shape, few first keys"),
    vertical("vertical-slash", 1000, unbounded),
    vertical("vertical-slash, columns only", unbounded, 0),
    vertical("vertical-slash, few slashes", unbounded, fewOffsets),
    ...columnShares.map((share) =>
      vertical(
        `vertical-slash, ${String(100 * share)} % columns`,
        Math.max(10, 10 * Math.round((share * keys) / 10)),
        unbounded,
      ),
    ),
    vertical("vertical-slash, slashes only", 0, unbounded),
    {
      label: "block-sparse",
      name: "block_sparse",
      a: Math.max(1, Math.round(equal.block_sparse / blockKeys)),
      b: 0,
    },
  ];
}

function aShape(keys: number, share: number, label = "A-shape"): Candidate {
  const first = Math.max(1, Math.round(share * keys));
  return { label, name: "stream_llm", a: first, b: Math.max(1, Math.round(keys - first)) };
}

function vertical(label: string, columns: number, offsets: number): Candidate {
  return { label, name: "vertical_and_slash", a: columns, b: offsets };
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
