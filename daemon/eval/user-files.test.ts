import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readEvalOptions } from "./options.ts";
import { readQuestionFile } from "./user-files.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "longsight-questions-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(...lines: readonly string[]): string {
  const file = path.join(folder, "questions.jsonl");
  writeFileSync(file, lines.join("\n"));
  return file;
}

describe("question files", () => {
  it("are read in InfiniteBench's and in RULER's form", async () => {
    const infinite = { id: 0, context: "A long book.", input: "Who?", answer: ["Ann", "Anna"] };
    const ruler = { index: 0, input: "Some documents.\n\nMore.\n\nQuestion: where?", outputs: ["Rome"], length: 9 };
    const [first, second] = await readQuestionFile(write(JSON.stringify(infinite), "", JSON.stringify(ruler)));
    expect(first?.files[0]?.text).toBe("A long book.\n");
    expect(first?.questions[0]?.text).toBe("Who?");
    expect(second?.files[0]?.text).toBe("Some documents.\n\nMore.\n");
    expect(second?.questions[0]?.text).toBe("Question: where?");
  });

  it.each([
    ["no JSON", "{"],
    ["no answer", '{"context": "c", "input": "i"}'],
    ["an answer that is no text", '{"context": "c", "input": "i", "answer": [1]}'],
    ["a RULER entry without a question", '{"input": "one paragraph", "outputs": ["x"]}'],
  ])("with %s are refused by line", async (_what, line) => {
    const good = '{"context": "c", "input": "i", "answer": "a"}';
    await expect(readQuestionFile(write(good, line))).rejects.toThrow(/Line 2 of .* is no JSON object like/);
  });

  it("that are not there or empty are refused", async () => {
    await expect(readQuestionFile(path.join(folder, "none.jsonl"))).rejects.toThrow(/cannot be read/);
    await expect(readQuestionFile(write(""))).rejects.toThrow(/no question/);
  });
});

describe("the command line of eval", () => {
  it("takes tasks and groups of tasks", () => {
    expect(readEvalOptions(["repository", "callers"]).tasks).toEqual(["definitions", "callers", "imports"]);
    expect(readEvalOptions(["grid", "--lengths", "4096,8192", "--modes", "sparse"])).toMatchObject({
      lengths: [4096, 8192],
      modes: ["sparse"],
    });
  });

  it.each([
    [[], /Name a task/],
    [["niah"], /no task "niah"; there are ruler/],
    [["ruler", "--lengths", "12"], /--lengths takes whole numbers from 2048/],
    [["ruler", "--modes", "fast"], /--modes takes dense, sparse or both/],
    [["ruler", "--recall-floor", "2"], /--recall-floor takes a number from 0 to 1/],
    [["questions"], /needs --questions FILE/],
    [["ruler", "--colour"], /--colour/],
  ])("refuses %j", (args, message) => {
    expect(() => readEvalOptions(args)).toThrow(message);
  });
});
