/** The local model as a model of the editor's own chat: each request is a question about the open repository. */
import path from "node:path";
import * as vscode from "vscode";
import { productVersion } from "../../daemon/protocol/version.ts";
import type { AskSession } from "../ask/ask-session.ts";
import { readSettings } from "../settings.ts";
import { answerForModels } from "./answer-markdown.ts";

/** What the daemon takes as a question; the repository is not part of the message. */
const maxInputTokens = 8192;
const maxOutputTokens = 512;

export function registerProvider(session: AskSession): vscode.Disposable {
  const model = (): vscode.LanguageModelChatInformation => {
    const chosen = readSettings().model;
    return {
      id: "longsight",
      name: chosen === "" ? "Longsight (bundled)" : `Longsight (${path.basename(chosen)})`,
      family: "longsight",
      version: productVersion,
      detail: "on this machine, reads the repository",
      maxInputTokens,
      maxOutputTokens,
      // The editor's default mode, and with it every participant, takes only models that say so. Ours answers without a tool.
      capabilities: { toolCalling: true },
    };
  };
  return vscode.lm.registerLanguageModelChatProvider("longsight", {
    provideLanguageModelChatInformation: () => [model()],
    provideLanguageModelChatResponse: async (_, messages, __, progress, token) => {
      const { record } = await session.answer(lastQuestion(messages), { token });
      progress.report(new vscode.LanguageModelTextPart(answerForModels(record)));
    },
    // A rule of thumb: the count serves the editor's own limits only.
    provideTokenCount: (_, text) => {
      const { length } = typeof text === "string" ? text : textOf(text);
      return Promise.resolve(Math.ceil(length / 4));
    },
  });
}

function lastQuestion(messages: readonly vscode.LanguageModelChatRequestMessage[]): string {
  const last = messages.filter(({ role }) => role === vscode.LanguageModelChatMessageRole.User).at(-1);
  return last ? textOf(last).trim() : "";
}

function textOf({ content }: vscode.LanguageModelChatRequestMessage): string {
  return content.flatMap((part) => (part instanceof vscode.LanguageModelTextPart ? [part.value] : [])).join("\n");
}
