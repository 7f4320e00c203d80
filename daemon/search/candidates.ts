/**
 * The patterns that are tried, each brought to the same cost in the kernel: that of a vertical-slash head which covers the
 * budget. What a pair of query and key costs differs between patterns (gathered columns, blocks that must be chosen), and so
 * does how many pairs a size means in a chunk (early rows have few columns before them), so both are measured on a text first:
 * the other patterns at two sizes each, from which the size of equal cost follows.
 */
import type { PatternScores } from "../engine/engine.ts";
import type { HeadPattern, PatternName } from "./head-pattern-file.ts";

export interface Candidate extends HeadPattern {
  readonly label: string;
}

/** In this kernel on this machine. */
export interface Costs {
  readonly nsPerPair: Readonly<Record<PatternName, number>>;
  /** What a row of a head may cost, estimate and choice of lines included: as much as vertical-slash does. */
  readonly nsPerRow: number;
  /** First and last keys of an A-shape, and blocks, at that cost. */
  readonly aShapeKeys: number;
  readonly blocks: number;
}

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

/** What costs are measured with: vertical-slash, then the others at about the budget's size and at half of it. */
export function measuredCandidates(keys: number): Candidate[] {
  const blocks = Math.max(2, Math.round(keys / blockKeys));
  return [
    vertical("vertical-slash", 1000, unbounded),
    aShape(keys, firstShare),
    aShape(keys / 2, firstShare),
    blockSparse(blocks),
    blockSparse(Math.max(1, Math.round(blocks / 2))),
  ];
}

/** From the scores of `measuredCandidates(keys)`. */
export function costsOf({ candidates, rows }: PatternScores, keys: number): Costs {
  const measured = measuredCandidates(keys).map(({ a, b }, at) => {
    const score = candidates[at];
    if (score === undefined || score.pairs <= 0) throw new Error("the engine measured no attention");
    const nsPerRow = (1e6 * (score.attentionMs + score.indexMs)) / (rows * score.error.length);
    return { size: a + b, nsPerRow, nsPerPair: (1e6 * score.attentionMs) / score.pairs };
  });
  const [slash, shape, halfShape, blocks, halfBlocks] = measured;
  if (!slash || !shape || !halfShape || !blocks || !halfBlocks) throw new Error("a candidate was not measured");
  return {
    nsPerPair: {
      stream_llm: shape.nsPerPair,
      vertical_and_slash: slash.nsPerPair,
      block_sparse: blocks.nsPerPair,
    },
    nsPerRow: slash.nsPerRow,
    aShapeKeys: sizeAtCost(shape, halfShape, slash.nsPerRow),
    blocks: sizeAtCost(blocks, halfBlocks, slash.nsPerRow),
  };
}

interface Measured {
  readonly size: number;
  readonly nsPerRow: number;
}

/** On the line through two measured sizes, within bounds in which the line means something. */
function sizeAtCost(full: Measured, half: Measured, nsPerRow: number): number {
  const slope = (full.nsPerRow - half.nsPerRow) / (full.size - half.size);
  const size = slope > 0 ? half.size + (nsPerRow - half.nsPerRow) / slope : full.size;
  return Math.max(1, Math.round(Math.min(2 * full.size, Math.max(half.size / 2, size))));
}

export function sizedCandidates({ aShapeKeys: named, blocks }: Costs, keys: number): Candidate[] {
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
    blockSparse(blocks),
  ];
}

function aShape(keys: number, share: number, label = "A-shape"): Candidate {
  const first = Math.max(1, Math.round(share * keys));
  return { label, name: "stream_llm", a: first, b: Math.max(1, Math.round(keys - first)) };
}

function vertical(label: string, columns: number, offsets: number): Candidate {
  return { label, name: "vertical_and_slash", a: columns, b: offsets };
}

function blockSparse(blocks: number): Candidate {
  return { label: "block-sparse", name: "block_sparse", a: blocks, b: 0 };
}
