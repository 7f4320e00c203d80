/** `longsight ask` without a question: one after the other, from a prompt or from the lines of standard input. */
import { randomUUID } from "node:crypto";
import readline from "node:readline";
import { Failure, toFailure } from "../failure/failure.ts";
import type { AskArguments } from "./arguments.ts";
import { askOnce } from "./ask-command.ts";
import type { DaemonClient } from "./daemon-client.ts";
import { renderFailure } from "./render-failure.ts";

/** Resolves at the end of the input; a failed question does not end the loop, and is the loop's outcome off a terminal. */
export async function interactive(client: DaemonClient, args: AskArguments): Promise<void> {
  const onTerminal = process.stdin.isTTY && process.stdout.isTTY;
  const conversation = randomUUID();
  const reader = readline.createInterface({ input: process.stdin, output: process.stdout, terminal: onTerminal });
  reader.setPrompt(onTerminal ? "longsight> " : "");
  const state = { running: new AbortController(), answering: false, interrupted: false };
  let lastFailure: Failure | null = null;
  const onInterrupt = (): void => {
    // During an answer Ctrl-C ends the answer; at the prompt it ends the loop.
    if (state.answering && !state.running.signal.aborted) state.running.abort();
    else {
      state.interrupted = true;
      reader.close();
    }
  };
  reader.on("SIGINT", onInterrupt);
  process.on("SIGINT", onInterrupt);
  if (onTerminal) process.stderr.write("Ask about the repository. Ctrl-C stops an answer, Ctrl-D ends.\n");
  try {
    reader.prompt();
    for await (const line of reader) {
      const question = line.trim();
      if (question !== "") {
        state.running = new AbortController();
        state.answering = true;
        try {
          const record = await askOnce(client, args, question, state.running.signal, conversation);
          if (args.json) process.stdout.write(`${JSON.stringify(record)}\n`);
          lastFailure = null;
        } catch (thrown) {
          lastFailure = toFailure(thrown);
          process.stderr.write(renderFailure(lastFailure));
          if (lastFailure.code === "daemon-unreachable") break;
        }
        state.answering = false;
      }
      reader.prompt();
    }
  } finally {
    process.off("SIGINT", onInterrupt);
    reader.close();
  }
  if (onTerminal) process.stdout.write("\n");
  if (state.interrupted) throw new Failure("cancelled", "");
  if (lastFailure && !onTerminal) throw new ReportedFailure(lastFailure);
}

/** A failure that the user has seen already: only its exit code is left to tell. */
export class ReportedFailure extends Failure {
  constructor(failure: Failure) {
    super(failure.code, failure.message, { cause: failure });
  }
}
