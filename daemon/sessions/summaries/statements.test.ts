import { describe, expect, it } from "vitest";
import type { PackedFile, ResolvedAnswer } from "../../prompt/index.ts";
import type { SummaryNode } from "../../protocol/summarize.ts";
import { composeFolder } from "./compose.ts";
import { mainName } from "./main-name.ts";
import { renderMarkdown } from "./markdown.ts";
import { betterOf, isProse, maxStatements, quotedStatements, sentenceAt, writtenStatements } from "./statements.ts";
import { filesIn, treeOf } from "./tree.ts";

const cite = (path: string, line: number, verified = true) => ({ path, line, verified, stale: false, quote: "q" });
const answer = (text: string, citations: ResolvedAnswer["citations"]): ResolvedAnswer => ({
  text,
  citations,
  absent: false,
});

describe("a cited line", () => {
  const lines = [
    "/** The queue of jobs: who may use",
    " *  the device now, and who waits. More follows.",
    " *  This is a sentence of its own. */",
    "export function run() {",
    "# A heading",
    "#include <vector>",
    "// ends. */",
  ];

  it.each([
    [1, "The queue of jobs: who may use the device now, and who waits. More follows."],
    [3, "This is a sentence of its own."],
    [4, "export function run() {"],
    [5, "A heading"],
    [9, ""],
  ])("%d is read to the end of its sentence, and no code with it", (line, text) => {
    expect(sentenceAt(lines, line)).toBe(text);
  });

  it("that is very long is cut at the end of a word, and says so", () => {
    const said = sentenceAt([`// ${"word ".repeat(200)}`], 1);
    expect(said).toMatch(/^(?:word )+word…$/);
    expect(said.length).toBeLessThanOrEqual(400);
    expect(sentenceAt([`// ${"x".repeat(500)}`], 1)).toBe(`${"x".repeat(399)}…`);
  });

  it("is a statement only where it was found, in the file itself, and says something", () => {
    const citations = [cite("a.ts", 1), cite("b.ts", 1), cite("a.ts", 3, false), cite("a.ts", 6)];
    expect(quotedStatements(answer("", citations), "a.ts", lines)).toEqual([
      { text: sentenceAt(lines, 1), citations: [citations[0]] },
    ]);
  });

  it("of a Markdown heading is followed by the first sentence below it, which has a place of its own", () => {
    const page = [
      "# Tool",
      "",
      "![badge](x)",
      "",
      "Reads **all** of it.",
      "And more.",
      "",
      "## Use",
      "- a list",
      "## End",
    ];
    const statement = (line: number) => quotedStatements(answer("", [cite("a.md", line)]), "a.md", page);
    expect(statement(1)).toEqual([
      {
        text: "Tool: Reads **all** of it.",
        citations: [
          cite("a.md", 1),
          { path: "a.md", line: 5, verified: true, stale: false, quote: "Reads **all** of it." },
        ],
      },
    ]);
    expect(statement(8)).toEqual([{ text: "Use", citations: [cite("a.md", 8)] }]);
  });

  it("steers no terminal and hides nothing", () => {
    const hostile = ["// Runs \u001b[31mred\u001b[0m and \u202Ebidi\u202C\u0007 words."];
    const [statement] = quotedStatements(answer("", [cite("a.ts", 1)]), "a.ts", hostile);
    expect(statement?.text).toBe("Runs [31mred[0m and bidi words.");
  });

  it("in words is better than code, and code better than nothing", () => {
    const code = [{ text: "export interface Scan {", citations: [] }];
    const words = [{ text: "Lists the files of a repository.", citations: [] }];
    expect([isProse(code[0]!), isProse(words[0]!)]).toEqual([false, true]);
    expect(betterOf(code, words)).toBe(words);
    expect(betterOf(words, code)).toBe(words);
    expect(betterOf([], code)).toBe(code);
    expect(betterOf(code, [])).toBe(code);
  });
});

describe("a written answer", () => {
  it("becomes sentences, each with the places that stand in it or behind it", () => {
    const citations = [cite("src/a.ts", 3), cite("src/b.ts", 14)];
    const text = "It scans e.g. files [src/a.ts:3].\n- It sorts them. (src/b.ts:14)\nNothing is cited here.";
    expect(writtenStatements(answer(text, citations))).toEqual([
      { text: "It scans e.g. files.", citations: [citations[0]] },
      { text: "It sorts them.", citations: [citations[1]] },
      { text: "Nothing is cited here.", citations: [] },
    ]);
  });

  it("has an end", () => {
    expect(writtenStatements(answer("One more. ".repeat(100), []))).toHaveLength(maxStatements);
  });
});

describe("the tree", () => {
  const file = (path: string): PackedFile => ({
    id: 0,
    path,
    hash: path,
    sizeBytes: 1,
    lineCount: 1,
    firstToken: 0,
    tokenCount: 1,
    blockEnds: Uint32Array.of(1),
  });
  const files = ["src/b.ts", "a.ts", "src/deep/x.ts", "src-more/y.ts", "src/a.ts", "src.ts"].map(file);
  const show = (path: string): unknown => {
    const walk = (node: ReturnType<typeof treeOf>): unknown =>
      node === null ? null : node.kind === "file" ? node.path : [node.path, filesIn(node), ...node.children.map(walk)];
    return walk(treeOf(files, path));
  };

  it("has the files in their folders", () => {
    const src = ["src/", 3, "src/a.ts", "src/b.ts", ["src/deep/", 1, "src/deep/x.ts"]];
    expect(show("")).toEqual(["", 6, "a.ts", ["src-more/", 1, "src-more/y.ts"], "src.ts", src]);
    expect(show("src")).toEqual(src);
    expect(show("src/")).toEqual(src);
    expect(show("src/b.ts")).toBe("src/b.ts");
    expect(show("sr")).toBeNull();
  });
});

describe("a folder", () => {
  const node = (path: string, text: string): SummaryNode => ({
    path,
    kind: path.endsWith("/") ? "folder" : "file",
    statements: text === "" ? [] : [{ text, citations: [cite(path, 1)] }],
    kept: false,
    coverage: { summarized: 1, files: 1 },
  });
  const folder = { kind: "folder", path: "src/", children: [], fileCount: 3 } as const;

  it("opens with what its leading file says, then says what is in it", () => {
    const nodes = [
      node("src/a.ts", "First."),
      node("src/index.ts", "All of it."),
      node("src/in/", "Inner."),
      node("src/x.ts", ""),
    ];
    expect(composeFolder(folder, nodes).map(({ text }) => text)).toEqual(["All of it.", "a.ts: First.", "in/: Inner."]);
  });

  it("tells how many found no place", () => {
    const nodes = Array.from({ length: 30 }, (_, at) => node(`src/f${at.toString()}.ts`, "Text."));
    const statements = composeFolder(folder, nodes);
    expect(statements).toHaveLength(maxStatements);
    expect(statements.at(-1)?.text).toBe(`${(30 - maxStatements + 1).toString()} more, each with a summary of its own`);
  });
});

describe("the Markdown", () => {
  it("shows what a repository says as text, and links to places below the root alone", () => {
    const evil = "[x](command:evil) <img src=x> `code` **b** # h https://evil.example";
    const path = "command:evil (1)#.md";
    const nodes: SummaryNode[] = [
      {
        path,
        kind: "file",
        statements: [{ text: evil, citations: [cite(path, 2, false)] }],
        kept: false,
        coverage: { summarized: 1, files: 1 },
      },
    ];
    const text = renderMarkdown("/work/re*po", nodes, { summarized: 1, files: 2 });
    expect(text).toContain("# re\\*po");
    expect(text).toContain("1 of 2 files");
    expect(text).toContain(
      "- \\[x\\](command:evil) \\<img src=x\\> \\`code\\` \\*\\*b\\*\\* \\# h https:\\/\\/evil.example",
    );
    expect(text).toContain("](./command:evil%20%281%29%23.md#L2), not verified)");
    expect(text).not.toMatch(/(?<!\\)\]\(command:/);
    expect(text).not.toMatch(/(?<!\\)[<`*]/);
    expect(text).not.toContain("https://");
  });
});

describe("the main name of a file", () => {
  it.each([
    [
      "scan.ts",
      ["export interface Options {", "export async function scanRepository(root: string) {"],
      "scanRepository",
    ],
    ["safe-open.ts", ["import x", "export type OpenRefusal ="], "OpenRefusal"],
    ["tool.py", ["import os", "class Tool:", "def run():"], "Tool"],
    ["main.go", ["package main", "func (s *Server) Serve() {"], "Serve"],
    ["lib.rs", ["pub struct Engine {"], "Engine"],
    [
      "pool.cpp",
      ["class Fwd;", "int64_t CeilDiv(int64_t a, int64_t b) {", "ThreadPool* MakePool(int threads) {"],
      "MakePool",
    ],
    ["notes.md", ["# Notes", "Some words (here)."], null],
  ])("%s", (file, lines, name) => {
    expect(mainName(`src/${file}`, lines)).toBe(name);
  });
});
