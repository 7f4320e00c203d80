/** Long-context questions from files that the user has: InfiniteBench's and RULER's JSON lines. */
import { readFile } from "node:fs/promises";
import { Failure } from "../failure/failure.ts";
import { toFiles } from "./haystack.ts";
import { containsAny, type EvalContext } from "./sample.ts";

const answerTokens = 64;
const lineLength = 200;

/**
 * InfiniteBench: `{context, input, answer}`, `answer` a string or a list of which any will do (Zhang et al., arXiv 2402.13718).
 * RULER: `{input, outputs}`, the question being the last paragraph of the input (its question-answering tasks). Throws
 * `invalid-argument` with the line that is neither.
 */
export async function readQuestionFile(file: string): Promise<Omit<EvalContext, "tokens">[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new Failure("invalid-argument", `The question file ${file} cannot be read.`, { cause: error });
  });
  const contexts: Omit<EvalContext, "tokens">[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const entry = readEntry(line);
    if (entry === null) {
      const wanted = '{"context", "input", "answer"} (InfiniteBench) or {"input", "outputs"} (RULER)';
      throw new Failure("invalid-argument", `Line ${String(index + 1)} of ${file} is no JSON object like ${wanted}.`);
    }
    contexts.push({
      task: "question-file",
      files: toFiles(wrap(entry.context)),
      questions: [{ text: entry.question, score: containsAny(entry.answers), maxTokens: answerTokens }],
    });
  }
  if (contexts.length === 0) throw new Failure("invalid-argument", `There is no question in ${file}.`);
  return contexts;
}

interface Entry {
  readonly context: string;
  readonly question: string;
  readonly answers: readonly string[];
}

function readEntry(line: string): Entry | null {
  let fields: Map<string, unknown>;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) return null;
    fields = new Map<string, unknown>(Object.entries(value));
  } catch {
    return null;
  }
  const input = fields.get("input");
  const context = fields.get("context");
  const answers = strings(fields.get("answer") ?? fields.get("outputs"));
  if (typeof input !== "string" || answers.length === 0) return null;
  if (typeof context === "string") return { context, question: input, answers };
  const paragraphs = input.trimEnd().split(/\n\s*\n/);
  const question = paragraphs.pop();
  return question === undefined || paragraphs.length === 0
    ? null
    : { context: paragraphs.join("\n\n"), question, answers };
}

function strings(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((item) => typeof item === "string" && item !== "").map(String);
}

/** Books come with a paragraph to a line; the context's anchors need shorter ones. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split(/\r?\n/)) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line.length + word.length > lineLength && line !== "") {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines;
}
