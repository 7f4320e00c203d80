/** The chat parts, where the editor has them: forks lack some, and nothing else depends on them. */
import * as vscode from "vscode";
import { registerParticipant, type ChatParts } from "./participant.ts";
import { registerProvider } from "./provider.ts";
import { registerTool } from "./tool.ts";

export function registerChat(parts: ChatParts, icon: vscode.Uri): vscode.Disposable {
  const registered: vscode.Disposable[] = [];
  if (has(vscode.lm, "registerLanguageModelChatProvider")) registered.push(registerProvider(parts.session));
  if (has(vscode.lm, "registerTool")) registered.push(registerTool(parts.session));
  if (has(vscode.chat, "createChatParticipant")) registered.push(registerParticipant(parts, icon));
  // A participant is not offered until some model is known; this has the editor ask our provider.
  if (has(vscode.lm, "selectChatModels")) {
    void vscode.lm.selectChatModels({ vendor: "longsight" }).then(undefined, () => undefined);
  }
  return vscode.Disposable.from(...registered);
}

/** The types say that a part is there; an older fork says otherwise. */
function has(owner: unknown, name: string): boolean {
  return typeof owner === "object" && owner !== null && name in owner;
}
