/** From answers to a table: what each mode scored, how they differ, and how sure that is. */
import { Random } from "./random.ts";
import type { Answered, EvalMode } from "./runner.ts";
import { type Interval, mean, pairedDifference, wilson } from "./statistics.ts";

export interface ResultRow {
  readonly task: string;
  readonly tokens: number;
  readonly asked: number;
  readonly scores: Readonly<Partial<Record<EvalMode, number>>>;
  /** Sparse less dense, and its 95 % interval; null unless both ran. */
  readonly difference: { readonly mean: number; readonly interval: Interval } | null;
  /** Share of the questions to which both modes gave the same text. */
  readonly sameAnswer: { readonly share: number; readonly interval: Interval } | null;
  /** Share of the questions that both modes scored the same. */
  readonly sameScore: number | null;
  /** Of the sparse runs. */
  readonly recall: { readonly mean: number; readonly least: number } | null;
  readonly sparsity: number | null;
  readonly guardShare: number | null;
  /** Mean seconds of the prefill. */
  readonly prefillSeconds: Readonly<Partial<Record<EvalMode, number>>>;
}

export function summarize(answers: readonly Answered[], modes: readonly EvalMode[], seed: number): ResultRow[] {
  const groups = new Map<string, Answered[]>();
  for (const answer of answers) {
    const key = `${answer.task}\0${String(answer.tokens)}`;
    groups.set(key, [...(groups.get(key) ?? []), answer]);
  }
  return [...groups.values()].map((group) => summarizeGroup(group, modes, seed));
}

function summarizeGroup(group: readonly Answered[], modes: readonly EvalMode[], seed: number): ResultRow {
  const column = <Value>(mode: EvalMode, read: (answer: Answered, at: number) => Value | undefined): Value[] => {
    const at = modes.indexOf(mode);
    return at < 0 ? [] : group.map((answer) => read(answer, at)).filter((value) => value !== undefined);
  };
  const dense = column("dense", (answer, at) => answer.scores[at]);
  const sparse = column("sparse", (answer, at) => answer.scores[at]);
  const prefills = column("sparse", (answer, at) => answer.prefills[at]);
  const both = dense.length > 0 && sparse.length > 0;
  const same = group.filter(({ answers }) => answers.every((answer) => answer === answers[0])).length;
  const equal = group.filter(({ scores }) => scores.every((score) => score === scores[0])).length;
  const [first] = group;
  return {
    task: first?.task ?? "",
    tokens: first?.tokens ?? 0,
    asked: group.length,
    scores: perMode(modes, (mode) => mean(mode === "dense" ? dense : sparse)),
    difference: both
      ? { mean: mean(sparse) - mean(dense), interval: pairedDifference(dense, sparse, new Random(seed)) }
      : null,
    sameAnswer: both ? { share: same / group.length, interval: wilson(same, group.length) } : null,
    sameScore: both ? equal / group.length : null,
    recall:
      prefills.length === 0
        ? null
        : {
            mean: mean(prefills.map(({ recall }) => recall.mean)),
            least: Math.min(...prefills.map(({ recall }) => recall.least)),
          },
    sparsity: prefills.length === 0 ? null : mean(prefills.map(({ sparsity }) => sparsity)),
    guardShare: prefills.length === 0 ? null : mean(prefills.map(({ guardShare }) => guardShare)),
    prefillSeconds: perMode(modes, (mode) => mean(column(mode, (answer, at) => answer.prefillMs[at])) / 1000),
  };
}

function perMode(modes: readonly EvalMode[], read: (mode: EvalMode) => number): Partial<Record<EvalMode, number>> {
  return Object.fromEntries(modes.map((mode) => [mode, read(mode)]));
}

const header = [
  "task",
  "tokens",
  "asked",
  "dense",
  "sparse",
  "difference (95 %)",
  "same answer",
  "recall (least)",
  "skipped",
  "by guard",
];

/** A Markdown table; shares in per cent. */
export function toMarkdown(rows: readonly ResultRow[]): string {
  const lines = [header, header.map(() => "---"), ...rows.map(toCells)];
  return `${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

function toCells(row: ResultRow): string[] {
  const { difference, sameAnswer, recall } = row;
  const [low, high] = difference ? [difference.interval.low, difference.interval.high] : [0, 0];
  return [
    row.task,
    row.tokens.toLocaleString("en-US"),
    String(row.asked),
    row.scores.dense === undefined ? "" : percent(row.scores.dense),
    row.scores.sparse === undefined ? "" : percent(row.scores.sparse),
    difference === null ? "" : `${signed(difference.mean)} (${signed(low)} to ${signed(high)})`,
    sameAnswer === null ? "" : percent(sameAnswer.share),
    recall === null ? "" : `${recall.mean.toFixed(3)} (${recall.least.toFixed(3)})`,
    row.sparsity === null ? "" : percent(row.sparsity),
    row.guardShare === null ? "" : percent(row.guardShare),
  ];
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  const text = percent(share);
  return share > 0 ? `+${text}` : text;
}
