/** `@longsight` in the Chat view: questions, `/where`, `/summarize`; progress, places as anchors, follow-ups. */
import * as vscode from "vscode";
import type { Citation } from "../../daemon/protocol/ask.ts";
import type { ProgressRecord } from "../../daemon/protocol/progress.ts";
import { summarizeRequest, type SummarizeResult } from "../../daemon/protocol/summarize.ts";
import { answerParts } from "../ask/answer-parts.ts";
import type { AskSession } from "../ask/ask-session.ts";
import { followUps } from "../ask/follow-ups.ts";
import type { FileChoices } from "../context/file-choices.ts";
import { isCancellation, toUserFailure } from "../daemon/failures.ts";
import { progressText } from "../figures.ts";
import { codeBlock, markdownText } from "../markdown-text.ts";
import { requireFolder, targetOf, uriOf } from "../repository.ts";
import type { Work } from "../work.ts";
import { answerFooter } from "./answer-markdown.ts";

/** Milliseconds between two lines of progress of one phase: a chat keeps each of them. */
const progressEveryMs = 2000;

export interface ChatParts {
  readonly session: AskSession;
  readonly work: Work;
  readonly choices: FileChoices;
}

export function registerParticipant(parts: ChatParts, icon: vscode.Uri): vscode.Disposable {
  const participant = vscode.chat.createChatParticipant("longsight.participant", async (request, _, stream, token) => {
    try {
      const suggested =
        request.command === "summarize"
          ? await summarize(parts, request, stream, token)
          : await ask(parts, request, stream, token);
      return { metadata: { followUps: suggested } };
    } catch (thrown) {
      if (isCancellation(thrown)) return {};
      const { message, next } = toUserFailure(thrown);
      return { errorDetails: { message: `${message} ${next}`.trim() } };
    }
  });
  participant.iconPath = icon;
  participant.followupProvider = {
    provideFollowups: ({ metadata }) => {
      const kept: unknown = metadata?.["followUps"];
      return Array.isArray(kept) ? kept.map((prompt) => ({ prompt: String(prompt) })) : [];
    },
  };
  return vscode.Disposable.from(participant);
}

async function ask(
  { session }: ChatParts,
  request: vscode.ChatRequest,
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<readonly string[]> {
  const prompt = request.prompt.trim();
  if (prompt === "") {
    stream.markdown("Ask about the whole repository, for example `where is parseHeader defined?`.");
    return [];
  }
  const question = request.command === "where" ? `where is ${prompt} defined?` : prompt;
  const { record, root } = await session.answer(question, { onProgress: progressLines(stream), token });
  let language = "";
  for (const part of answerParts(record.answer, record.citations)) {
    switch (part.kind) {
      case "place": {
        const citation = record.citations[part.citation];
        if (!citation) break;
        stream.anchor(placeOf(root, citation), part.text);
        if (!citation.verified) stream.markdown(" (not verified)");
        // VS Code knows most languages by their files' ending.
        language = /\.(\w+)$/.exec(citation.path)?.[1] ?? "";
        break;
      }
      // What a file says is never markup.
      case "quote":
        stream.markdown(`\n\n${codeBlock(part.text, language)}\n\n`);
        break;
      case "text":
        stream.markdown(markdownText(part.text));
        break;
    }
  }
  stream.markdown(answerFooter(record));
  return followUps(question, record);
}

async function summarize(
  { work, choices }: ChatParts,
  request: vscode.ChatRequest,
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<readonly string[]> {
  const folder = requireFolder();
  const path = request.prompt.trim();
  const params = { ...targetOf(folder, choices), ...(path === "" ? {} : { path }) };
  const listeners = { onProgress: progressLines(stream) };
  const result = await work.run<SummarizeResult>("summarize", summarizeRequest.method, params, listeners, token);
  for (const { text, citations } of result.nodes[0]?.statements ?? []) {
    stream.markdown(`- ${markdownText(text)} `);
    const [place] = citations;
    if (place) stream.anchor(placeOf(folder.uri, place), `${place.path}:${place.line}`);
    stream.markdown("\n");
  }
  stream.markdown(`\n\n_${result.coverage.summarized} of ${result.coverage.files} files are summarized._`);
  return [];
}

function placeOf(root: vscode.Uri, { path, line }: Citation): vscode.Location {
  return new vscode.Location(uriOf(root, path), new vscode.Position(line - 1, 0));
}

function progressLines(stream: vscode.ChatResponseStream): (record: ProgressRecord) => void {
  let last = 0;
  let phase = "";
  return (record) => {
    const now = Date.now();
    if (record.phase === phase && now - last < progressEveryMs) return;
    last = now;
    phase = record.phase;
    stream.progress(progressText(record));
  };
}
