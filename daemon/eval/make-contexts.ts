/** From a task's name to contexts with questions, one after the other, at one length. */
import path from "node:path";
import type { PromptModel } from "../prompt/index.ts";
import { readHaystack, toFiles } from "./haystack.ts";
import { drawFiles, type HeldOut, heldOutPackages } from "./held-out.ts";
import type { EvalOptions } from "./options.ts";
import { Random } from "./random.ts";
import { fitTo } from "./repository-folder.ts";
import { callerQuestions, definitionQuestions, importQuestions } from "./repository-tasks.ts";
import { type RulerTask, rulerTasks } from "./ruler.ts";
import { reservedTokens } from "./runner.ts";
import type { EvalContext } from "./sample.ts";
import { readQuestionFile } from "./user-files.ts";

export interface Source {
  /** The installation's folder. */
  readonly root: string;
  readonly model: PromptModel;
  readonly options: EvalOptions;
}

export async function* makeContexts(source: Source, task: string, tokens: number): AsyncGenerator<EvalContext> {
  if (task === "grid") yield* gridContexts(source, tokens);
  else if (task === "questions") yield* fileContexts(source, tokens);
  else {
    const ruler = rulerTasks.find(({ name }) => name === task);
    if (ruler) yield* rulerContexts(source, ruler, tokens);
    else yield* repositoryContexts(source, task, tokens);
  }
}

/** The same seed for the same sample of a task, whatever else is asked for. */
function seeded({ options }: Source, task: string, tokens: number, sample: number): number {
  let hash = options.seed + 1;
  for (const part of [task, String(tokens), String(sample)]) {
    for (const character of `${part}/`) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) >>> 0;
  }
  return hash;
}

async function* rulerContexts(source: Source, task: RulerTask, tokens: number): AsyncGenerator<EvalContext> {
  for (let sample = 0; sample < source.options.samples; sample += 1) {
    yield rulerContext(source, task, tokens, seeded(source, task.name, tokens, sample));
  }
}

async function rulerContext(
  { root, model, options }: Source,
  task: RulerTask,
  tokens: number,
  seed: number,
  depth?: number,
): Promise<EvalContext> {
  const essay = await readHaystack(options.text ?? path.join(root, "node_modules"));
  const made = await fitTo(tokens - reservedTokens, model, (size) => {
    const { lines, question } = task.make(size, new Random(seed), essay, depth);
    return { files: toFiles(lines), question };
  });
  return {
    task: depth === undefined ? task.name : "grid",
    tokens,
    files: made.files,
    questions: [made.question],
    ...(depth === undefined ? {} : { depth }),
  };
}

async function* gridContexts(source: Source, tokens: number): AsyncGenerator<EvalContext> {
  const { depths, samples } = source.options;
  const task = rulerTasks.find(({ name }) => name === "niah-single-2");
  if (!task) throw new Error("the grid's task is gone");
  for (let row = 0; row < depths; row += 1) {
    for (let sample = 0; sample < samples; sample += 1) {
      const seed = seeded(source, `grid ${String(row)}`, tokens, sample);
      yield await rulerContext(source, task, tokens, seed, row / (depths - 1));
    }
  }
}

const questionsPerContext = 34;
/** A package that yields so few questions in so many draws has no more to give. */
const mostContexts = 40;

async function* repositoryContexts(source: Source, task: string, tokens: number): AsyncGenerator<EvalContext> {
  const { root, options } = source;
  const packages: readonly HeldOut[] =
    options.repo === undefined
      ? heldOutPackages
      : [{ name: path.basename(options.repo), folder: path.resolve(options.repo), extension: /\.(?:js|ts|h|cpp)$/ }];
  const make = task === "callers" ? callerQuestions : task === "imports" ? importQuestions : definitionQuestions;
  for (const [index, heldOut] of packages.entries()) {
    const wanted = Math.floor(options.samples / packages.length) + (index < options.samples % packages.length ? 1 : 0);
    const random = new Random(seeded(source, `${task} ${heldOut.name}`, tokens, 0));
    let asked = 0;
    for (let drawn = 0; asked < wanted && drawn < mostContexts; drawn += 1) {
      const files = await drawFiles(root, heldOut, tokens - reservedTokens, random);
      if (files.length === 0) break;
      const questions = make(files, Math.min(questionsPerContext, wanted - asked), random);
      if (questions.length === 0) continue;
      asked += questions.length;
      yield { task, tokens, files, questions };
    }
  }
}

async function* fileContexts({ options }: Source, tokens: number): AsyncGenerator<EvalContext> {
  for (const context of (await readQuestionFile(options.questions ?? "")).slice(0, options.samples)) {
    yield { ...context, tokens };
  }
}
