import { describe, expect, it } from "vitest";
import type { AskRecord } from "../protocol/ask.ts";
import { hide, type Haystack, toFiles } from "./haystack.ts";
import { Random } from "./random.ts";
import { rulerTasks } from "./ruler.ts";

const essay: Haystack = { lines: (count) => Array.from({ length: count }, (_, at) => `Essay line ${String(at)}.`) };
const size = 120;

function answering(answer: string): AskRecord {
  return {
    answer,
    citations: [],
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

describe("RULER's tasks", () => {
  it("are the eleven synthetic ones", () => {
    expect(rulerTasks).toHaveLength(11);
  });

  it.each(rulerTasks)("$name: the whole context answers it, nothing does not, and a seed makes it again", (task) => {
    const made = task.make(size, new Random(3), essay);
    expect(made.question.score(answering(made.lines.join("\n")))).toBe(1);
    expect(made.question.score(answering("I do not know."))).toBe(0);
    expect(task.make(size, new Random(3), essay)).toMatchObject({ lines: made.lines });
    expect(task.make(size, new Random(4), essay).lines).not.toEqual(made.lines);
  });

  it("ask for the words that are most frequent", () => {
    for (const [name, count] of [
      ["common-words", 10],
      ["frequent-words", 3],
    ] as const) {
      const task = rulerTasks.find((one) => one.name === name);
      const made = task?.make(size, new Random(5), essay);
      const counts = new Map<string, number>();
      for (const word of made?.lines.join(" ").split(" ") ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
      const ranked = [...counts].filter(([word]) => word !== "...").sort(([, a], [, b]) => b - a);
      const top = ranked.slice(0, count).map(([word]) => word);
      expect(made?.question.score(answering(top.join(", ")))).toBe(1);
      expect(ranked[count - 1]?.[1]).toBeGreaterThan(ranked[count]?.[1] ?? 0);
    }
  });

  it("score multi-value answers by their share", () => {
    const task = rulerTasks.find(({ name }) => name === "niah-multivalue");
    const made = task?.make(size, new Random(6), essay);
    const needles = made?.lines.filter((line) => line.startsWith("The secret")) ?? [];
    expect(needles).toHaveLength(4);
    expect(made?.question.score(answering(needles.slice(0, 3).join(" ")))).toBe(0.75);
  });

  it("hide a needle at its depth", () => {
    const task = rulerTasks.find(({ name }) => name === "niah-single-2");
    for (const depth of [0, 0.5, 1]) {
      const lines = task?.make(size, new Random(7), essay, depth).lines ?? [];
      expect(lines.findIndex((line) => line.startsWith("The secret"))).toBe(depth * size);
    }
    expect(
      hide(
        ["a", "b"],
        [
          { text: "x", depth: 0 },
          { text: "y", depth: 1 },
        ],
      ),
    ).toEqual(["x", "a", "b", "y"]);
  });

  it("lie in files that sort as the text runs", () => {
    const files = toFiles(Array.from({ length: 450 }, (_, at) => `line ${String(at)}`));
    expect(files.map(({ path }) => path)).toEqual([
      "text/part-00001.txt",
      "text/part-00002.txt",
      "text/part-00003.txt",
    ]);
    expect(
      files
        .map(({ text }) => text)
        .join("")
        .split("\n"),
    ).toHaveLength(451);
  });
});
