/** Questions about real code whose right answers can be read off the text: definitions, callers, chains of imports. */
import path from "node:path";
import { definedOnce } from "./definitions.ts";
import { makeQuestions } from "./definition-questions.ts";
import type { Random } from "./random.ts";
import {
  cites,
  citesNothing,
  citesNothingVerified,
  containsAny,
  containsNumber,
  type EvalQuestion,
  type TextFile,
} from "./sample.ts";

const answerTokens = 64;

/** Where a name is defined: the right file and line. */
export function definitionQuestions(files: readonly TextFile[], count: number, random: Random): EvalQuestion[] {
  return makeQuestions(files, [], { definitions: count, absent: 0 }, random).map((question) => ({
    text: question.text,
    score:
      question.kind === "definition"
        ? cites(question.definition.path, question.definition.line)
        : question.kind === "absent"
          ? citesNothing
          : citesNothingVerified,
    maxTokens: answerTokens,
  }));
}

const mostCallers = 9;

/** How many lines call a function that one line defines. */
export function callerQuestions(files: readonly TextFile[], count: number, random: Random): EvalQuestion[] {
  const lines = files.flatMap(({ path: file, text }) =>
    text.split(/\r?\n/).map((line, at) => ({ file, at: at + 1, line })),
  );
  const questions: EvalQuestion[] = [];
  for (const { name, path: file, line } of random.shuffle(definedOnce(files))) {
    if (questions.length === count) break;
    const call = new RegExp(`(?<![\\w$])${name.replaceAll("$", "\\$")}\\s*\\(`);
    const callers = lines.filter(
      (entry) => call.test(entry.line) && !(entry.file === file && entry.at === line),
    ).length;
    if (callers < 1 || callers > mostCallers) continue;
    questions.push({
      text: `How many lines call ${name}? Answer with the number.`,
      score: containsNumber(callers),
      maxTokens: answerTokens,
    });
  }
  return questions;
}

const importPattern =
  /^\s*(?:import|export)\b[^"']*["'](\.[^"']+)["']|require\(["'](\.[^"']+)["']\)|^\s*#\s*include\s+"([^"]+)"/;

/** The file that a file's first import of another file here leads to; null when there is none. */
function firstImport(file: TextFile, known: ReadonlySet<string>): string | null {
  for (const line of file.text.split(/\r?\n/)) {
    const match = importPattern.exec(line);
    const target = match?.[1] ?? match?.[2] ?? match?.[3];
    if (target === undefined) continue;
    const joined = path.posix.join(path.posix.dirname(file.path), target);
    const candidates = [joined, `${joined}.js`, `${joined}.ts`, `${joined}/index.js`, `${joined}/index.ts`, target];
    const found = candidates.find((candidate) => known.has(candidate) && candidate !== file.path);
    if (found !== undefined) return found;
  }
  return null;
}

/** Two imports further: from A to the file that A's first import imports first. */
export function importQuestions(files: readonly TextFile[], count: number, random: Random): EvalQuestion[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const known = new Set(byPath.keys());
  const questions: EvalQuestion[] = [];
  for (const start of random.shuffle(files)) {
    if (questions.length === count) break;
    const second = firstImport(start, known);
    const middle = second === null ? undefined : byPath.get(second);
    const third = middle === undefined ? null : firstImport(middle, known);
    if (third === null || third === start.path) continue;
    questions.push({
      text: `Which file is imported first by the file that ${start.path} imports first?`,
      score: containsAny([third]),
      maxTokens: answerTokens,
    });
  }
  return questions;
}
