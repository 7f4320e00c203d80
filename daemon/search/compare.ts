/**
 * A pattern file against every single pattern, on repositories that neither training nor calibration saw: at equal cost and
 * without the guard, so that what is compared is the choice of patterns.
 */
import { readFile } from "node:fs/promises";
import type { PatternScores } from "../engine/engine.ts";
import { Random } from "../eval/random.ts";
import { type Interval, mean, pairedDifference } from "../eval/statistics.ts";
import { Failure } from "../failure/failure.ts";
import { heldOutTexts } from "./calibration-texts.ts";
import { costsOf, sizedCandidates } from "./candidates.ts";
import { bestSingles, meansOf } from "./choose.ts";
import { budgetKeys, defaultBudgetKeys, type SearchOptions } from "./options.ts";
import type { ProgressLine } from "./progress-line.ts";
import { askWithEach, type Asked, type PatternSet } from "./questions.ts";
import { reportedCandidates } from "./reported-candidates.ts";
import { type CandidateRow, table, toRow } from "./report.ts";
import { asFile, type Bench, checkLength, measureCosts, sourceOf, tryAll } from "./search.ts";

export interface Comparison {
  readonly file: string;
  readonly lengthTokens: number;
  readonly budgetKeys: number;
  readonly texts: readonly { readonly name: string; readonly tokens: number }[];
  /** The file, then the best candidate of each pattern on these very texts, whichever size or mix that is. */
  readonly rows: readonly CandidateRow[];
  /** Of those, the one with the least error, and the file's error less its own, head by head and text by text. */
  readonly bestSingle: string;
  readonly difference: { readonly mean: number; readonly interval: Interval };
  readonly questions: readonly Asked[];
}

const draws = 2;

export async function compare(
  bench: Bench,
  file: string,
  options: SearchOptions,
  progress: ProgressLine,
): Promise<Comparison> {
  checkLength(bench, options);
  const content = await readFile(file, "utf8").catch((error: unknown) => {
    throw new Failure("invalid-argument", `The head-pattern file ${file} cannot be read.`, { cause: error });
  });
  const keys = budgetKeys(options);
  const texts: { name: string; tokens: number }[] = [];
  const scores: PatternScores[] = [];
  let singles = await reportedCandidates(file, bench.info, options.length, keys);
  for (const text of heldOutTexts(sourceOf(bench, options), draws)) {
    const tokens = await text.make();
    if (tokens === null) {
      progress.skip();
      continue;
    }
    if (singles === null) {
      progress.begin("what a pair costs");
      singles = sizedCandidates(costsOf(await measureCosts(bench, tokens, keys, progress), keys), keys);
      progress.finish();
    }
    progress.begin(text.name);
    const candidates = [content, ...singles.map((candidate) => asFile(bench, candidate))];
    scores.push(await tryAll(bench, tokens, { candidates, budgetKeys: keys, repeats: 1 }, progress));
    texts.push({ name: text.name, tokens: tokens.length });
    progress.finish();
  }
  if (singles === null) {
    throw new Failure("empty-repository", "No held-out repository has so many tokens; give a shorter --length.");
  }
  // The file is no candidate of one pattern; it only needs a label here.
  const found = { label: "the file", name: "vertical_and_slash", a: 0, b: 0 } as const;
  const [ofFile, ...ofSingles] = meansOf([found, ...singles], scores);
  const best = bestSingles(ofSingles);
  const [least] = best.toSorted((one, other) => mean(one.error) - mean(other.error));
  if (ofFile === undefined || least === undefined) throw new Error("nothing was compared");
  progress.end();
  const patterns: PatternSet[] = [
    { label: found.label, content },
    ...best.map(({ candidate }) => ({ label: candidate.label, content: asFile(bench, candidate) })),
  ];
  // Prefill proper has the engine's own budget: with another one the questions would be about something else.
  const comparable = keys === defaultBudgetKeys(options.length) && options.questions > 0;
  return {
    file,
    lengthTokens: options.length,
    budgetKeys: keys,
    texts,
    rows: [ofFile, ...best].map((means) => toRow(means, [])),
    bestSingle: least.candidate.label,
    difference: differenceOf(scores, 1 + singles.indexOf(least.candidate), options.seed),
    questions: comparable ? await askWithEach(bench, patterns, options, progress) : [],
  };
}

/** The file is candidate 0. */
function differenceOf(scores: readonly PatternScores[], single: number, seed: number): Comparison["difference"] {
  const errors = (at: number): number[] => scores.flatMap(({ candidates }) => [...(candidates[at]?.error ?? [])]);
  const ofFile = errors(0);
  const ofSingle = errors(single);
  return {
    mean: mean(ofFile) - mean(ofSingle),
    interval: pairedDifference(ofSingle, ofFile, new Random(seed)),
  };
}

export function comparisonText({ rows, questions, difference, bestSingle, ...of }: Comparison): string {
  const { low, high } = difference.interval;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const parts = [
    `${String(of.texts.length)} held-out texts of up to ${of.lengthTokens.toLocaleString("en-US")} tokens, ` +
      `a budget of ${String(of.budgetKeys)} keys per row, no guard:`,
    table(
      ["patterns", "error", "recall", "keys per row", "attention ns", "index ns"],
      rows.map((row) => [
        row.label,
        row.error.toFixed(4),
        row.recall.toFixed(4),
        String(row.keysPerRow),
        String(row.attentionNsPerRow),
        String(row.indexNsPerRow),
      ]),
    ),
    `Error of the file less that of "${bestSingle}": ${difference.mean.toFixed(4)} (95 %: ${low.toFixed(4)} to ${high.toFixed(4)}).`,
  ];
  if (questions.length > 0) {
    parts.push(
      `${String(questions[0]?.asked ?? 0)} definition questions, without the guard:`,
      table(
        ["patterns", "right", "same answer as dense (95 %)", "recall (least)", "skipped", "prefill s"],
        questions.map((row) => [
          row.label,
          percent(row.right),
          row.label === "dense"
            ? ""
            : `${percent(row.same.share)} (${percent(row.same.interval.low)} to ${percent(row.same.interval.high)})`,
          row.label === "dense" ? "" : `${row.recall.mean.toFixed(3)} (${row.recall.least.toFixed(3)})`,
          percent(row.sparsity),
          row.prefillSeconds.toFixed(1),
        ]),
      ),
    );
  }
  return `${parts.join("\n\n")}\n`;
}
