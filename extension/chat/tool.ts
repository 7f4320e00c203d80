/** `#longsight`: a language-model tool, so that agents can ask the model that has read everything. */
import * as vscode from "vscode";
import type { AskSession } from "../ask/ask-session.ts";
import { answerForModels } from "./answer-markdown.ts";

interface ToolInput {
  readonly question: string;
}

export function registerTool(session: AskSession): vscode.Disposable {
  return vscode.lm.registerTool<ToolInput>("longsight_ask", {
    prepareInvocation: ({ input }) => ({ invocationMessage: `Asking the whole repository: ${input.question}` }),
    invoke: async ({ input }, token) => {
      const { record } = await session.answer(input.question, { token });
      return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(answerForModels(record))]);
    },
  });
}
