/** Asks where, writes the document there, and opens it. */
import * as vscode from "vscode";
import { repositoryFolder } from "./repository.ts";

export async function saveMarkdown(name: string, text: string): Promise<void> {
  const folder = repositoryFolder();
  const chosen = await vscode.window.showSaveDialog({
    filters: { Markdown: ["md"] },
    title: "Export as Markdown",
    ...(folder ? { defaultUri: vscode.Uri.joinPath(folder.uri, name) } : {}),
  });
  if (!chosen) return;
  await vscode.workspace.fs.writeFile(chosen, new TextEncoder().encode(text));
  await vscode.window.showTextDocument(chosen);
}
