/** The product's own answers to the same definition questions: dense, and with each pattern file. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { startNativeEngine } from "../engine/native-engine.ts";
import { drawFiles, heldOutPackages } from "../eval/held-out.ts";
import { Random } from "../eval/random.ts";
import { withFolder } from "../eval/repository-folder.ts";
import { definitionQuestions } from "../eval/repository-tasks.ts";
import type { EvalQuestion } from "../eval/sample.ts";
import { type Interval, mean, wilson } from "../eval/statistics.ts";
import type { AskRecord } from "../protocol/ask.ts";
import type { PrefillChoice } from "../protocol/prefill.ts";
import { LongsightService } from "../sessions/service.ts";
import type { SearchOptions } from "./options.ts";
import type { ProgressLine } from "./progress-line.ts";
import type { Bench } from "./search.ts";

export interface PatternSet {
  readonly label: string;
  readonly content: string;
}

export interface Asked {
  /** "dense", or the pattern set's. */
  readonly label: string;
  readonly asked: number;
  /** Share of right answers. */
  readonly right: number;
  /** Share of the answers that are dense prefill's, word for word. */
  readonly same: { readonly share: number; readonly interval: Interval };
  readonly recall: { readonly mean: number; readonly least: number };
  readonly sparsity: number;
  readonly prefillSeconds: number;
}

interface Answers {
  readonly choice: PrefillChoice;
  readonly label: string;
  readonly records: AskRecord[];
  readonly scores: number[];
  /** A context is prefilled once, by its first question. */
  readonly prefillMs: number[];
}

/** Tokens of the context beside the repository: question, answer and template. */
const reservedTokens = 1280;

export async function askWithEach(
  bench: Bench,
  patterns: readonly PatternSet[],
  options: SearchOptions,
  progress: ProgressLine,
): Promise<Asked[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "longsight-patterns-"));
  const service = startService(bench, options);
  try {
    const answers: Answers[] = [
      { label: "dense", choice: { prefill: "dense" }, records: [], scores: [], prefillMs: [] },
    ];
    for (const [index, { label, content }] of patterns.entries()) {
      const file = path.join(folder, `${String(index)}.json`);
      await writeFile(file, content);
      const choice = { prefill: "sparse", patterns: file, recallFloor: 0 } as const;
      answers.push({ label, choice, records: [], scores: [], prefillMs: [] });
    }
    for (const [index, heldOut] of heldOutPackages.entries()) {
      const count = shareOf(options.questions, index);
      const random = new Random(options.seed * 1019 + index);
      const files = await drawFiles(bench.root, heldOut, options.length - reservedTokens, random);
      const questions = definitionQuestions(files, count, random);
      progress.begin(`questions about ${heldOut.name}`);
      await withFolder(files, async (repository) => {
        for (const [at, one] of answers.entries()) {
          await ask(bench, service, repository, questions, options, one);
          progress.reached((at + 1) / answers.length);
        }
      });
      progress.finish();
    }
    progress.end();
    return answers.map((one) => summarize(one, answers[0]?.records ?? []));
  } finally {
    await service.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function ask(
  { modelDir, signal }: Bench,
  service: LongsightService,
  repository: string,
  questions: readonly EvalQuestion[],
  { length }: SearchOptions,
  answers: Answers,
): Promise<void> {
  for (const [index, question] of questions.entries()) {
    const params = { repository, model: modelDir, question: question.text, contextTokens: length, ...answers.choice };
    const record = await service.ask(
      { ...params, maxTokens: question.maxTokens },
      { signal, documents: new Map(), report: () => undefined, piece: () => undefined },
    );
    answers.records.push(record);
    answers.scores.push(question.score(record));
    if (index === 0) answers.prefillMs.push(record.timings.prefillMs);
  }
  await service.cache({ release: true });
}

function summarize({ label, records, scores, prefillMs }: Answers, dense: readonly AskRecord[]): Asked {
  const same = records.filter(({ answer }, index) => answer === dense[index]?.answer).length;
  return {
    label,
    asked: records.length,
    right: mean(scores),
    same: { share: records.length === 0 ? 0 : same / records.length, interval: wilson(same, records.length) },
    recall: {
      mean: mean(records.map(({ prefill }) => prefill.recall.mean)),
      least: Math.min(1, ...records.map(({ prefill }) => prefill.recall.least)),
    },
    sparsity: mean(records.map(({ prefill }) => prefill.sparsity)),
    prefillSeconds: mean(prefillMs) / 1000,
  };
}

function shareOf(questions: number, index: number): number {
  const packages = heldOutPackages.length;
  return Math.floor(questions / packages) + (index < questions % packages ? 1 : 0);
}

function startService({ root, modelDir }: Bench, { device }: SearchOptions): LongsightService {
  return new LongsightService({
    modelsDir: path.join(root, "models"),
    defaultModel: modelDir,
    cacheDir: null,
    logFile: "",
    version: "search",
    device,
    threads: 0,
    log: { info: () => undefined, error: (text) => process.stderr.write(`${text}\n`) },
    startEngine: () =>
      startNativeEngine({ workerPath: path.join(root, "dist", "native-worker.js"), onLog: () => undefined }),
  });
}
