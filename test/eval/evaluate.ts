/** Asks generated questions of repositories cut from the held-out packages, through the daemon's own service. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { startNativeEngine } from "../../daemon/engine/native-engine.ts";
import { scanRepository } from "../../daemon/repository/index.ts";
import { readSettings } from "../../daemon/server/settings.ts";
import { LongsightService } from "../../daemon/sessions/service.ts";
import { makeQuestions, type Question } from "../../daemon/eval/definition-questions.ts";
import { drawFiles, type HeldOut, namesElsewhere } from "../../daemon/eval/held-out.ts";
import type { Random } from "../../daemon/eval/random.ts";
import { withFolder } from "../../daemon/eval/repository-folder.ts";
import type { TextFile } from "../../daemon/eval/sample.ts";

const answerTokens = 64;
/** What the daemon keeps free of the context for question and answer, about. */
const reservedTokens = 600;
/** Of one context: more repositories of the same package are drawn when more are wanted. */
const questionsPerRepository = 34;

export interface Score {
  asked: number;
  right: number;
}

export interface Row {
  readonly contextTokens: number;
  readonly package: string;
  readonly definitions: Score;
  /** The right file, on whatever line. */
  readonly files: Score;
  /** Told to be absent. */
  readonly absent: Score;
  /** Near misses that were told to be absent, or whose citation the daemon marked as not verified. */
  readonly nearMisses: Score;
  readonly seconds: number;
}

export interface Wanted {
  readonly definitions: number;
  readonly absent: number;
}

/** One question, what was expected, and what came: for people who want to see the misses. */
export type Trace = (line: string) => void;

/** @param root the checkout; its dist/ and node_modules/ are used. The environment says of the engine what it says to the daemon. */
export function startService(root: string, model: string): LongsightService {
  const { device, threads, kv, weights } = readSettings(process.env, root);
  return new LongsightService({
    modelsDir: path.join(root, "models"),
    defaultModel: model,
    cacheDir: null,
    logFile: "",
    version: "eval",
    device,
    threads,
    kv,
    weights,
    log: { info: () => undefined, error: (text) => process.stderr.write(`${text}\n`) },
    startEngine: () =>
      startNativeEngine({ workerPath: path.join(root, "dist", "native-worker.js"), onLog: () => undefined }),
  });
}

export class Evaluation {
  readonly #root: string;
  readonly #service: LongsightService;
  readonly #model: string;
  readonly #trace: Trace;

  constructor(root: string, service: LongsightService, model: string, trace: Trace = () => undefined) {
    this.#root = root;
    this.#service = service;
    this.#model = model;
    this.#trace = trace;
  }

  /** Null when no file of the package fits into the context. */
  async evaluate(heldOut: HeldOut, contextTokens: number, wanted: Wanted, random: Random): Promise<Row | null> {
    const row: Row = {
      contextTokens,
      package: heldOut.name,
      definitions: { asked: 0, right: 0 },
      files: { asked: 0, right: 0 },
      absent: { asked: 0, right: 0 },
      nearMisses: { asked: 0, right: 0 },
      seconds: 0,
    };
    const startedAt = performance.now();
    const foreignNames = await namesElsewhere(this.#root, heldOut);
    for (let repositories = 0; repositories < 40 && row.definitions.asked < wanted.definitions; repositories += 1) {
      const drawn = await drawFiles(this.#root, heldOut, contextTokens - reservedTokens, random);
      if (drawn.length === 0) break;
      await withFolder(drawn, async (repository) => {
        const files = await this.#filesInContext(repository, contextTokens);
        const counts = {
          definitions: Math.min(questionsPerRepository, wanted.definitions - row.definitions.asked),
          absent: Math.min(Math.ceil(questionsPerRepository / 4), wanted.absent - row.absent.asked),
        };
        for (const question of makeQuestions(files, foreignNames, counts, random)) {
          await this.#judge(question, repository, contextTokens, row);
        }
      });
    }
    return row.definitions.asked === 0 ? null : { ...row, seconds: (performance.now() - startedAt) / 1000 };
  }

  /** What the daemon itself puts into the context: the files it lists less those that it leaves out. */
  async #filesInContext(repository: string, contextTokens: number): Promise<TextFile[]> {
    const signal = new AbortController().signal;
    const { context } = await this.#service.open(
      { repository, model: this.#model, contextTokens },
      { signal, report: () => undefined, documents: new Map() },
    );
    if (context.leftOut.length < context.leftOutCount) throw new Error("more files are left out than the daemon lists");
    const leftOut = new Set(context.leftOut.map((entry) => entry.path));
    const { files } = await scanRepository(repository);
    return Promise.all(
      files
        .filter((file) => !leftOut.has(file.path))
        .map(async ({ path: name }) => ({ path: name, text: await readFile(path.join(repository, name), "utf8") })),
    );
  }

  async #judge(question: Question, repository: string, contextTokens: number, row: Row): Promise<void> {
    const signal = new AbortController().signal;
    const record = await this.#service.ask(
      { repository, model: this.#model, question: question.text, contextTokens, maxTokens: answerTokens },
      { signal, documents: new Map(), report: () => undefined, piece: () => undefined },
    );
    const cited = record.citations[0];
    if (question.kind === "absent") count(row.absent, cited === undefined);
    else if (question.kind === "near-miss") count(row.nearMisses, cited?.verified !== true);
    else {
      const { definition } = question;
      count(row.files, cited?.path === definition.path);
      count(row.definitions, cited?.path === definition.path && cited.line === definition.line);
    }
    const expected =
      question.kind !== "definition"
        ? question.kind
        : `${question.definition.path}:${String(question.definition.line)}`;
    this.#trace(`${question.text} | ${expected} | ${record.answer.replaceAll("\n", " ")}`);
  }
}

function count(score: Score, right: boolean): void {
  score.asked += 1;
  if (right) score.right += 1;
}
