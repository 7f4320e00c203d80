import { describe, expect, it } from "vitest";
import type { AskRecord } from "../protocol/ask.ts";
import { findDefinitions, definedOnce } from "./definitions.ts";
import { Random } from "./random.ts";
import { callerQuestions, definitionQuestions, importQuestions } from "./repository-tasks.ts";

const files = [
  {
    path: "a.ts",
    text: 'import { half } from "./lib/b.ts";\n\nexport function whole() {\n  return half(2) + half(3);\n}\n',
  },
  { path: "lib/b.ts", text: 'import { unit } from "./c.ts";\n\nexport function half() {\n  return unit();\n}\n' },
  { path: "lib/c.ts", text: "export function unit() {\n  return 1;\n}\n" },
];

function record(answer: string, path = "", line = 0): AskRecord {
  return {
    answer,
    citations: path === "" ? [] : [{ path, line, verified: true, stale: false, quote: "" }],
    context: { files: 1, tokens: 1, leftOut: [], leftOutCount: 0, changedFiles: 0, unsavedFiles: 0 },
    timings: { promptTokens: 1, cachedTokens: 0, prefillMs: 0, firstTokenMs: 0, tokensPerSecond: 0 },
    peakMemoryBytes: 0,
    mode: "dense",
    prefill: {
      recall: { mean: 1, least: 1 },
      sparsity: 0,
      guardShare: 0,
      kv: "bf16",
      chunkTokens: 32_768,
      reduced: false,
    },
    stopReason: "end-token",
    model: "/m",
  };
}

describe("repository tasks", () => {
  it("ask for definitions, right on their own line only", () => {
    const questions = definitionQuestions(files, 9, new Random(1));
    expect(questions).toHaveLength(3);
    const ofHalf = questions.find(({ text }) => text.includes("half"));
    expect(ofHalf?.score(record("", "lib/b.ts", 3))).toBe(1);
    expect(ofHalf?.score(record("", "lib/b.ts", 4))).toBe(0);
    expect(ofHalf?.score(record("Not found."))).toBe(0);
  });

  it("count callers, the definition not among them", () => {
    const questions = callerQuestions(files, 9, new Random(1));
    expect(questions.map(({ text }) => text).sort()).toEqual([
      "How many lines call half? Answer with the number.",
      "How many lines call unit? Answer with the number.",
    ]);
    for (const { score } of questions) {
      expect(score(record("1 line"))).toBe(1);
      expect(score(record("11 lines, or 1.5"))).toBe(0);
    }
  });

  it("follow a chain of imports", () => {
    const [question, ...more] = importQuestions(files, 9, new Random(1));
    expect(more).toEqual([]);
    expect(question?.text).toBe("Which file is imported first by the file that a.ts imports first?");
    expect(question?.score(record("It is lib/c.ts."))).toBe(1);
    expect(question?.score(record("It is lib/b.ts."))).toBe(0);
  });

  it("know what a definition is in C++, and that a declaration elsewhere makes a second right answer", () => {
    const header = "class Shape {\n  int Area() const;\n  operator std::string() const;\n};\n";
    const source =
      "inline int Shape::Area() const {\n  return 1;\n}\ninline Shape::operator std::string() const {\n}\n";
    const pair = [
      { path: "shape.h", text: header },
      { path: "shape-inl.h", text: source },
    ];
    expect(findDefinitions("shape-inl.h", source).map(({ name }) => name)).toEqual(["Area"]);
    expect(definedOnce(pair).map(({ name }) => name)).toEqual(["Shape"]);
  });
});
