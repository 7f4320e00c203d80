/** `longsight summarize [PATH]`: progress on stderr, each summary on stdout as it is finished; or all of it as JSON or Markdown. */
import path from "node:path";
import { Failure } from "../failure/failure.ts";
import type { Citation } from "../protocol/ask.ts";
import type { SummarizeResult, SummaryNode } from "../protocol/summarize.ts";
import type { SummarizeArguments } from "./arguments.ts";
import type { DaemonClient } from "./daemon-client.ts";
import { interruptible } from "./interruptible.ts";
import { count, createProgressView } from "./progress-view.ts";
import { printable, renderContext } from "./render-answer.ts";
import { readTarget } from "./target.ts";

export async function summarizeCommand(client: DaemonClient, args: SummarizeArguments): Promise<void> {
  const view = createProgressView(process.stderr);
  const target = readTarget(args);
  const params = {
    ...target,
    ...(args.path === null ? {} : { path: placeIn(target.repository, args) }),
    ...(args.again ? { again: true } : {}),
  };
  const asText = !args.json && !args.markdown;
  const result = await interruptible((signal) =>
    client.summarize(params, signal, {
      onProgress: (record) => {
        view.show(record);
      },
      onNode: ({ node }) => {
        if (!asText) return;
        view.clear();
        process.stdout.write(renderNode(node));
      },
    }),
  ).finally(() => {
    view.clear();
  });
  if (args.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else if (args.markdown) process.stdout.write(result.markdown);
  else process.stderr.write(renderCoverage(result));
}

/** Of a PATH as people type it: below the current folder, or below --repo where that is given. */
function placeIn(repository: string, { repo, path: typed }: SummarizeArguments): string {
  const absolute = path.resolve(repo === undefined ? process.cwd() : repository, typed ?? "");
  const relative = path.relative(repository, absolute).split(path.sep).join("/");
  if (relative === ".." || relative.startsWith("../") || path.isAbsolute(relative)) {
    throw new Failure("invalid-argument", `${absolute} is not in ${repository}.`);
  }
  return relative;
}

function renderNode({ path: place, statements, kind }: SummaryNode): string {
  const title = kind === "repository" ? "The repository" : printable(place);
  if (statements.length === 0) return `${title}\n  (nothing was found to say about it)\n\n`;
  const lines = statements.map(({ text, citations }) => `  ${text}${renderPlaces(citations)}\n`);
  return `${title}\n${lines.join("")}\n`;
}

function renderPlaces(citations: readonly Citation[]): string {
  if (citations.length === 0) return "";
  const places = citations.map(({ path: file, line, verified }) => {
    const place = `${printable(file)}:${line.toString()}`;
    return verified ? place : `${place} unverified`;
  });
  return `  [${places.join(", ")}]`;
}

function renderCoverage({ coverage, nodes, context }: SummarizeResult): string {
  const kept = nodes.filter((node) => node.kind === "file" && node.kept).length;
  const done = `[${count(coverage.summarized)} of ${count(coverage.files)} files summarized, ${count(kept)} kept from before]\n`;
  return done + renderContext(context);
}
