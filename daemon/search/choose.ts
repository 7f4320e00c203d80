/** From what each candidate did on each text to the pattern of each head. */
import type { PatternScores } from "../engine/engine.ts";
import { mean } from "../eval/statistics.ts";
import type { Candidate } from "./candidates.ts";
import type { HeadPattern, ScoredPattern } from "./head-pattern-file.ts";

/** Means over the texts, of one candidate. */
export interface CandidateMeans {
  readonly candidate: Candidate;
  /** [layers, heads] */
  readonly error: readonly number[];
  readonly recall: readonly number[];
  readonly keys: readonly number[];
  /** Of attention and of the choice of lines, per row of a head. */
  readonly attentionNsPerRow: number;
  readonly indexNsPerRow: number;
}

export interface HeadWinner {
  readonly layer: number;
  readonly head: number;
  readonly candidate: Candidate;
  readonly error: number;
  readonly recall: number;
  readonly keys: number;
}

/** `texts`: scores of the same candidates, one for each text, as the engine told them. */
export function meansOf(candidates: readonly Candidate[], texts: readonly PatternScores[]): CandidateMeans[] {
  return candidates.map((candidate, at) => {
    const scores = texts.map(({ candidates: all }) => {
      const score = all[at];
      if (score === undefined) throw new Error("a candidate was not tried");
      return score;
    });
    const perHead = (read: (score: (typeof scores)[number]) => Float64Array): number[] =>
      Array.from(scores[0]?.error ?? [], (_, head) => mean(scores.map((score) => read(score)[head] ?? 0)));
    const rows = texts.reduce((sum, text) => sum + text.rows * (text.candidates[at]?.error.length ?? 0), 0);
    return {
      candidate,
      error: perHead(({ error }) => error),
      recall: perHead(({ recall }) => recall),
      keys: perHead(({ keys }) => keys),
      attentionNsPerRow: (1e6 * scores.reduce((sum, { attentionMs }) => sum + attentionMs, 0)) / rows,
      indexNsPerRow: (1e6 * scores.reduce((sum, { indexMs }) => sum + indexMs, 0)) / rows,
    };
  });
}

/** The candidate with the least error, head by head; of equals the first. */
export function chooseWinners(
  means: readonly CandidateMeans[],
  layers: readonly number[],
  heads: number,
): HeadWinner[] {
  return layers.flatMap((layer, place) =>
    Array.from({ length: heads }, (_, head): HeadWinner => {
      const at = place * heads + head;
      const [first, ...others] = means;
      if (first === undefined) throw new Error("there are no candidates");
      const best = others.reduce(
        (least, next) => ((next.error[at] ?? 0) < (least.error[at] ?? 0) ? next : least),
        first,
      );
      return {
        layer,
        head,
        candidate: best.candidate,
        error: best.error[at] ?? 0,
        recall: best.recall[at] ?? 0,
        keys: best.keys[at] ?? 0,
      };
    }),
  );
}

/** Layers without winners (windowed ones, and the last) get an empty map. */
export function toLayers(winners: readonly HeadWinner[], layers: number): ReadonlyMap<number, ScoredPattern>[] {
  return Array.from({ length: layers }, (_, layer) => {
    const heads = winners.filter((winner) => winner.layer === layer);
    return new Map(
      heads.map(({ head, candidate: { name, a, b }, error, recall }) => {
        return [head, { name, a, b, score: rounded(error), floor: floorOf(recall) }] as const;
      }),
    );
  });
}

/**
 * A head is held to what it kept while it was calibrated, less a tenth, so that the guard speaks up where a text is unlike
 * those; and to no more than what a head without calibration is held to.
 */
function floorOf(recall: number): number {
  return Math.min(0.95, Math.floor(90 * recall) / 100);
}

/** What the best candidate of each kind would have done for all heads alone. */
export function bestSingles(means: readonly CandidateMeans[]): CandidateMeans[] {
  const best = new Map<HeadPattern["name"], CandidateMeans>();
  for (const one of means) {
    const known = best.get(one.candidate.name);
    if (known === undefined || mean(one.error) < mean(known.error)) best.set(one.candidate.name, one);
  }
  return [...best.values()];
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
