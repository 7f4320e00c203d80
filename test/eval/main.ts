/**
 * `npm run eval:bundled [-- --lengths 8192,32768 --definitions 200 --absent 50 --model DIR --json]`: asks the bundled model
 * where things are defined in packages that it was never trained on, the way a user would, and prints how often file and
 * line were right, and how often an absent name was told to be absent.
 */
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startNativeEngine } from "../../daemon/engine/native-engine.ts";
import { scanRepository } from "../../daemon/repository/index.ts";
import { LongsightService } from "../../daemon/sessions/service.ts";
import { heldOutPackages, makeRepository } from "./held-out.ts";
import { makeQuestions, type PackedText, type Question } from "./questions.ts";
import { Random } from "./random.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const answerTokens = 64;
/** What the daemon keeps free of the context for question and answer, about. */
const reservedTokens = 600;
/** Of one context: more repositories of the same package are drawn when more are wanted. */
const questionsPerRepository = 34;

interface Score {
  asked: number;
  right: number;
}

interface Row {
  readonly contextTokens: number;
  readonly package: string;
  readonly definitions: Score;
  /** The right file, on whatever line. */
  readonly files: Score;
  readonly absent: Score;
  readonly seconds: number;
}

const { values } = parseArgs({
  options: {
    lengths: { type: "string", default: "8192" },
    definitions: { type: "string", default: "200" },
    absent: { type: "string", default: "50" },
    model: { type: "string", default: path.join(root, "models", "bundled") },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

const model = path.resolve(values.model);
const service = new LongsightService({
  modelsDir: path.join(root, "models"),
  defaultModel: model,
  cacheDir: null,
  logFile: "",
  version: "eval",
  device: "auto",
  threads: 0,
  log: { info: () => undefined, error: (text) => process.stderr.write(`${text}\n`) },
  startEngine: () =>
    startNativeEngine({ workerPath: path.join(root, "dist", "native-worker.js"), onLog: () => undefined }),
});

async function evaluateLength(contextTokens: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [index, heldOut] of heldOutPackages.entries()) {
    const random = new Random(Number(values.seed) * 1000 + index + contextTokens);
    const wanted = {
      definitions: share(Number(values.definitions), index),
      absent: share(Number(values.absent), index),
    };
    const row: Row = {
      contextTokens,
      package: heldOut.name,
      definitions: { asked: 0, right: 0 },
      files: { asked: 0, right: 0 },
      absent: { asked: 0, right: 0 },
      seconds: 0,
    };
    const startedAt = performance.now();
    for (let repositories = 0; repositories < 40 && row.definitions.asked < wanted.definitions; repositories += 1) {
      const repository = await makeRepository(root, heldOut, contextTokens - reservedTokens, random);
      if (repository === null) break;
      try {
        const files = await filesInContext(repository, contextTokens);
        const questions = makeQuestions(
          files,
          {
            definitions: Math.min(questionsPerRepository, wanted.definitions - row.definitions.asked),
            absent: Math.min(Math.ceil(questionsPerRepository / 4), wanted.absent - row.absent.asked),
          },
          random,
        );
        for (const question of questions) await judge(question, repository, contextTokens, row);
      } finally {
        await rm(repository, { recursive: true, force: true });
      }
    }
    if (row.definitions.asked > 0) rows.push({ ...row, seconds: (performance.now() - startedAt) / 1000 });
  }
  return rows;
}

/** What the daemon itself puts into the context: the files it lists less those that it leaves out. */
async function filesInContext(repository: string, contextTokens: number): Promise<PackedText[]> {
  const signal = new AbortController().signal;
  const { context } = await service.open({ repository, model, contextTokens }, { signal, report: () => undefined });
  if (context.leftOut.length < context.leftOutCount) throw new Error("more files are left out than the daemon lists");
  const leftOut = new Set(context.leftOut.map((entry) => entry.path));
  const { files } = await scanRepository(repository);
  return Promise.all(
    files
      .filter((file) => !leftOut.has(file.path))
      .map(async ({ path: name }) => ({ path: name, text: await readFile(path.join(repository, name), "utf8") })),
  );
}

async function judge(question: Question, repository: string, contextTokens: number, row: Row): Promise<void> {
  const signal = new AbortController().signal;
  const record = await service.ask(
    { repository, model, question: question.text, contextTokens, maxTokens: answerTokens },
    { signal, report: () => undefined, piece: () => undefined },
  );
  const cited = record.citations[0];
  if (question.kind === "absent") {
    count(row.absent, cited === undefined);
  } else {
    const { definition } = question;
    count(row.files, cited?.path === definition.path);
    count(row.definitions, cited?.path === definition.path && cited.line === definition.line);
  }
  if (values.verbose) {
    const expected =
      question.kind === "absent" ? "absent" : `${question.definition.path}:${String(question.definition.line)}`;
    process.stderr.write(`${question.text} | ${expected} | ${record.answer.replaceAll("\n", " ")}\n`);
  }
}

function share(count: number, index: number): number {
  const size = heldOutPackages.length;
  return Math.floor(count / size) + (index < count % size ? 1 : 0);
}

function count(score: Score, right: boolean): void {
  score.asked += 1;
  if (right) score.right += 1;
}

function percent({ asked, right }: Score): string {
  return asked === 0 ? "-" : `${((100 * right) / asked).toFixed(1)} % of ${String(asked)}`;
}

function sum(scores: readonly Score[]): Score {
  return scores.reduce((a, b) => ({ asked: a.asked + b.asked, right: a.right + b.right }), { asked: 0, right: 0 });
}

const rows: Row[] = [];
try {
  for (const length of values.lengths.split(",").map(Number)) rows.push(...(await evaluateLength(length)));
} finally {
  await service.close();
}
if (values.json) {
  process.stdout.write(`${JSON.stringify({ model: path.basename(model), rows })}\n`);
} else {
  const lines = ["| context | package | file and line | file | absent told | seconds |", "|---|---|---|---|---|---|"];
  for (const length of new Set(rows.map((row) => row.contextTokens))) {
    const group = rows.filter((row) => row.contextTokens === length);
    const all: Row = {
      contextTokens: length,
      package: "all",
      definitions: sum(group.map((row) => row.definitions)),
      files: sum(group.map((row) => row.files)),
      absent: sum(group.map((row) => row.absent)),
      seconds: group.reduce((total, row) => total + row.seconds, 0),
    };
    for (const row of [...group, all]) {
      const cells = [percent(row.definitions), percent(row.files), percent(row.absent), row.seconds.toFixed(0)];
      lines.push(`| ${length.toLocaleString("en-US")} | ${row.package} | ${cells.join(" | ")} |`);
    }
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}
process.exit(0);
