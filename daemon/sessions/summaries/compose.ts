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
  const others = telling.filter((node) => node !== leader);
  const room = maxStatements - statements.length;
  // The last place tells how many found none.
  const shown = others.length > room ? others.slice(0, room - 1) : others;
  for (const node of shown) {
    const [first] = node.statements;
    if (first) statements.push({ text: `${nameIn(node, path)}: ${first.text}`, citations: first.citations });
  }
  const more = others.length - shown.length;
  if (more > 0) statements.push({ text: `${more.toString()} more, each with a summary of its own`, citations: [] });
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
