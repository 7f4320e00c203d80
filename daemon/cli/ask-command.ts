/** `longsight ask QUESTION`: progress on stderr, the answer on stdout as it comes, then its places and its cost. */
import type { AskRecord } from "../protocol/ask.ts";
import type { DaemonClient } from "./daemon-client.ts";
import type { AskArguments } from "./arguments.ts";
import { createProgressView } from "./progress-view.ts";
import { renderCitations, renderContext, renderTimings, renderUnread } from "./render-answer.ts";
import { readTarget } from "./target.ts";

export async function askCommand(client: DaemonClient, args: AskArguments, question: string): Promise<void> {
  const aborter = new AbortController();
  const onInterrupt = (): void => {
    if (aborter.signal.aborted) process.exit(130); // the second Ctrl-C does not wait for the daemon
    aborter.abort();
  };
  process.on("SIGINT", onInterrupt);
  try {
    const record = await askOnce(client, args, question, aborter.signal);
    if (args.json) process.stdout.write(`${JSON.stringify(record, null, 2)}\n`);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
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
      process.stderr.write(`${renderContext(record.context)}${renderTimings(record)}`);
    }
    return record;
  } finally {
    view.clear();
    if (signal.aborted && written !== "") process.stdout.write("\n");
  }
}
