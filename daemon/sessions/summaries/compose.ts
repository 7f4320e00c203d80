/** Summaries of folders out of those of what lies in them, for models that can quote but not write. */
import type { SummaryNode, SummaryStatement } from "../../protocol/summarize.ts";
import { maxStatements } from "./statements.ts";
import type { FolderBranch } from "./tree.ts";

/** Files that speak for their folder, the best first. */
const leading = [/^readme(?:\.\w+)?$/i, /^architecture\.\w+$/i, /^(?:index|mod|lib|main|__init__|package)\.\w+$/i];

/**
 * What the folder's leading file says, then one statement of each file and folder in it, under its name.
 *
 * @param nodes of the folder's children, in their order; those that are not finished are absent
 */
export function composeFolder({ path }: FolderBranch, nodes: readonly SummaryNode[]): SummaryStatement[] {
  const telling = nodes.filter((node) => node.statements.length > 0);
  const leader = telling
    .filter((node) => node.kind === "file" && rankOf(node, path) < leading.length)
    .sort((first, second) => rankOf(first, path) - rankOf(second, path))[0];
  const statements: SummaryStatement[] = leader?.statements.slice(0, 1) ?? [];
  for (const node of telling) {
    const [first] = node.statements;
    if (node === leader || !first || statements.length >= maxStatements) continue;
    statements.push({ text: `${nameIn(node, path)}: ${first.text}`, citations: first.citations });
  }
  return statements;
}

function rankOf(node: SummaryNode, folder: string): number {
  const rank = leading.findIndex((pattern) => pattern.test(nameIn(node, folder)));
  return rank === -1 ? leading.length : rank;
}

/** Within its folder; a folder keeps its `/`. */
function nameIn({ path }: SummaryNode, folder: string): string {
  return path.slice(folder.length);
}
