/** Head-pattern files in MInference's JSON shape, which native/engine/head_patterns.h reads. */

export type PatternName = "stream_llm" | "vertical_and_slash" | "block_sparse";

/**
 * `a` and `b`: first and last keys of `stream_llm`, at most so many columns and slash offsets of `vertical_and_slash`, blocks
 * of 64 keys (and nothing) of `block_sparse`.
 */
export interface HeadPattern {
  readonly name: PatternName;
  readonly a: number;
  readonly b: number;
}

export interface ScoredPattern extends HeadPattern {
  /** Kept for people: the share of the dense output that the head was off by when it was chosen. */
  readonly score: number;
  /** The recall under which the guard gives the head more: ours, after MInference's four elements. Absent: the reader's 0.95. */
  readonly floor?: number;
}

/** A head that a layer's map does not name is left to the reader's default. A line to a layer, as people compare files. */
export function formatHeadPatterns(layers: readonly ReadonlyMap<number, ScoredPattern>[]): string {
  const lines = layers.map((heads) =>
    JSON.stringify(
      Object.fromEntries(
        [...heads].map(([head, { name, a, b, score, floor }]) => [
          String(head),
          [name, a, b, score, ...(floor === undefined ? [] : [floor])],
        ]),
      ),
    ),
  );
  return `[\n${lines.join(",\n")}\n]\n`;
}

/** The same pattern for every head. */
export function uniformPatterns(pattern: HeadPattern, layers: number, heads: number): string {
  const layer = new Map(Array.from({ length: heads }, (_, head) => [head, { ...pattern, score: 0 }] as const));
  return formatHeadPatterns(Array.from({ length: layers }, () => layer));
}
