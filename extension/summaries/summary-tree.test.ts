import { describe, expect, it } from "vitest";
import type { SummaryNode } from "../../daemon/protocol/summarize.ts";
import { shapeSummaries, type SummaryBranch } from "./summary-tree.ts";

const node = (path: string): SummaryNode => ({
  path,
  kind: path === "" ? "repository" : path.endsWith("/") ? "folder" : "file",
  statements: [{ text: `about ${path}`, citations: [] }],
  kept: false,
  coverage: { summarized: 1, files: 1 },
});
const outline = (branch: SummaryBranch): unknown => [
  branch.name,
  ...branch.children.map((child) => (child.kind === "branch" ? outline(child) : "-")),
];

describe("summaries as a tree", () => {
  it("hangs files under folders under the repository, folders first", () => {
    const tree = shapeSummaries([node("a.ts"), node("src/"), node("src/b.ts"), node("src/deep/"), node("")]);
    expect(tree.map(outline)).toEqual([["Repository", "-", ["src", "-", ["deep", "-"], ["b.ts", "-"]], ["a.ts", "-"]]]);
  });

  it("shows files before their folder has come", () => {
    expect(shapeSummaries([node("src/deep/b.ts"), node("a.ts")]).map(({ name }) => name)).toEqual(["a.ts", "b.ts"]);
    expect(shapeSummaries([node("src/"), node("src/deep/b.ts")]).map(outline)).toEqual([["src", "-", ["b.ts", "-"]]]);
  });
});
