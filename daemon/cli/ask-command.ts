/** `longsight ask QUESTION`: progress on stderr, the answer on stdout as it comes, then its places and its cost. */
import type { AskRecord } from "../protocol/ask.ts";
import type { DaemonClient } from "./daemon-client.ts";
import type { AskArguments } from "./arguments.ts";
import { interruptible } from "./interruptible.ts";
import { createProgressView } from "./progress-view.ts";
import {
  renderCitations,
  renderContext,
  renderEvidence,
  renderReduced,
  renderTimings,
  renderUnread,
} from "./render-answer.ts";
import { readTarget } from "./target.ts";

export async function askCommand(client: DaemonClient, args: AskArguments, question: string): Promise<void> {
  const record = await interruptible((signal) => askOnce(client, args, question, signal));
  if (args.json) process.stdout.write(`${JSON.stringify(record, null, 2)}\n`);
}

/** With `json` nothing is written to stdout. Rejects with a Failure; `cancelled` when `signal` fired. */
export async function askOnce(
  client: DaemonClient,
  args: AskArguments,
  question: string,
  signal: AbortSignal,
  conversation?: string,
): Promise<AskRecord> {
  const view = createProgressView(process.stderr);
  let written = "";
  const params = {
    ...readTarget(args),
    question,
    ...(args.maxTokens === undefined ? {} : { maxTokens: args.maxTokens }),
    ...(conversation === undefined ? {} : { conversation }),
    ...(args.evidence ? { evidence: true } : {}),
  };
  try {
    const record = await client.ask(params, signal, {
      onProgress: (progress) => {
        if (written === "") view.show(progress);
      },
      onPiece: (text) => {
        if (args.json) return;
        if (written === "") view.clear();
        written += text;
        process.stdout.write(text);
      },
    });
    view.clear();
    if (!args.json) {
      process.stdout.write(`${record.answer.slice(written.length).trimEnd()}\n`);
      process.stdout.write(`${renderCitations(record)}${renderUnread(record)}`);
      process.stderr.write(
        `${renderEvidence(record)}${renderContext(record.context)}${renderTimings(record)}${renderReduced(record)}`,
      );
    }
    return record;
  } finally {
    view.clear();
    if (signal.aborted && written !== "") process.stdout.write("\n");
  }
}
