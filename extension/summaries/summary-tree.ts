/** Summary nodes as a tree: a folder above its files, each with its statements. */
import type { SummaryCoverage, SummaryNode, SummaryStatement } from "../../daemon/protocol/summarize.ts";

export interface SummaryBranch {
  readonly kind: "branch";
  readonly node: SummaryNode;
  readonly name: string;
  readonly children: readonly SummaryItem[];
}

export interface SummaryLeaf {
  readonly kind: "statement";
  readonly statement: SummaryStatement;
  /** Unique in the tree. */
  readonly id: string;
}

export type SummaryItem = SummaryBranch | SummaryLeaf;

/** Top branches: the repository alone once it is summarized, else what has come so far. */
export function shapeSummaries(nodes: readonly SummaryNode[]): readonly SummaryBranch[] {
  const byParent = new Map<string | null, SummaryNode[]>();
  const known = new Set(nodes.map(({ path }) => path));
  for (const node of nodes) {
    const parent = nearestKnown(node.path, known);
    byParent.set(parent, [...(byParent.get(parent) ?? []), node]);
  }
  const branch = (node: SummaryNode): SummaryBranch => ({
    kind: "branch",
    node,
    name: nameOf(node),
    children: [
      ...node.statements.map((statement, index): SummaryLeaf => ({
        kind: "statement",
        statement,
        id: `${node.path}#${index}`,
      })),
      ...(byParent.get(node.path) ?? []).sort(foldersFirst).map(branch),
    ],
  });
  return (byParent.get(null) ?? []).sort(foldersFirst).map(branch);
}

export function coverageText({ summarized, files }: SummaryCoverage): string {
  return `${summarized} of ${files} files`;
}

/** The folder that a node hangs under: of those that have come, the nearest above it. */
function nearestKnown(path: string, known: ReadonlySet<string>): string | null {
  let parent = path;
  while (parent !== "") {
    parent = parent.slice(0, parent.lastIndexOf("/", parent.length - 2) + 1);
    if (known.has(parent)) return parent;
  }
  return null;
}

function nameOf({ path, kind }: SummaryNode): string {
  if (kind === "repository") return "Repository";
  return path.replace(/\/$/, "").split("/").at(-1) ?? path;
}

function foldersFirst(a: SummaryNode, b: SummaryNode): number {
  if ((a.kind === "file") !== (b.kind === "file")) return a.kind === "file" ? 1 : -1;
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
