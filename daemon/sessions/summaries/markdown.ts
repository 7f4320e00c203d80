/** Summaries as one Markdown document. What a repository or a model says is text in it, never markup. */
import path from "node:path";
import { toPlainText } from "../../prompt/index.ts";
import type { Citation } from "../../protocol/ask.ts";
import type { SummaryCoverage, SummaryNode } from "../../protocol/summarize.ts";

/** Markdown has no deeper heading. */
const deepestHeading = 6;

export function renderMarkdown(root: string, nodes: readonly SummaryNode[], coverage: SummaryCoverage): string {
  const lines = [
    `# ${escape(path.basename(root))}`,
    "",
    `${coverage.summarized.toString()} of ${coverage.files.toString()} files summarized by Longsight. Each statement names its place; one that could not be checked says so.`,
    "",
  ];
  for (const { path: place, kind, statements } of nodes) {
    if (statements.length === 0) continue;
    if (kind !== "repository") {
      const depth = place.split("/").length - (kind === "folder" ? 1 : 0);
      lines.push(`${"#".repeat(Math.min(deepestHeading, depth + 1))} ${escape(place)}`, "");
    }
    for (const { text, citations } of statements) {
      const places = citations.map(link).join(", ");
      lines.push(`- ${escape(text)}${places === "" ? "" : ` (${places})`}`);
    }
    lines.push("");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

function link({ path: file, line, verified }: Citation): string {
  // "./" ahead, so that no file's name can be read as a scheme.
  const target = encodeURI(file).replace(/[()#?]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
  const place = `${file}:${line.toString()}`;
  return `[${escape(place)}](./${target}#L${line.toString()})${verified ? "" : ", not verified"}`;
}

/** The last two: addresses that a renderer would turn into links by itself. */
function escape(text: string): string {
  return toPlainText(text)
    .replace(/\s+/g, " ")
    .replace(/[\\`*_{}[\]<>#|~!&$]/g, "\\$&")
    .replaceAll("://", ":\\/\\/")
    .replace(/\bwww\./gi, "www\\.");
}
