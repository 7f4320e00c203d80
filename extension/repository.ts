/** Which folder a question is about, and how requests name it. */
import * as vscode from "vscode";
import type { Target } from "../daemon/protocol/context.ts";
import { EditorFailure } from "./daemon/failures.ts";
import type { FileChoices } from "./context/file-choices.ts";
import { readSettings } from "./settings.ts";

/** The workspace folder of the active editor, else the first one; null when no folder is open. */
export function repositoryFolder(): vscode.WorkspaceFolder | null {
  const active = vscode.window.activeTextEditor?.document.uri;
  const folders = vscode.workspace.workspaceFolders?.filter(({ uri }) => uri.scheme === "file") ?? [];
  const own = active && vscode.workspace.getWorkspaceFolder(active);
  return (own?.uri.scheme === "file" ? own : folders[0]) ?? null;
}

/** Rejecting in the words of a failure where there is no folder. */
export function requireFolder(): vscode.WorkspaceFolder {
  const folder = repositoryFolder();
  if (folder === null) throw new EditorFailure("No folder is open.", "Open a repository with File: Open Folder.");
  return folder;
}

/** What `open`, `context`, `changes`, `ask` and `summarize` all take, so that they mean the same context. */
export function targetOf(folder: vscode.WorkspaceFolder, choices: FileChoices): Target {
  const { model, contextTokens, prefill } = readSettings(folder.uri);
  return {
    repository: folder.uri.fsPath,
    prefill,
    ...choices.of(folder),
    ...(model === "" ? {} : { model }),
    ...(contextTokens === null ? {} : { contextTokens }),
  };
}

/** A path of the protocol (relative, with `/`) as the editor's. */
export function uriOf(root: vscode.Uri, path: string): vscode.Uri {
  return vscode.Uri.joinPath(root, ...path.split("/"));
}

/** Opens the file and puts the cursor on a line (from 1). */
export async function showLine(root: vscode.Uri, path: string, line: number): Promise<void> {
  const position = new vscode.Position(Math.max(0, line - 1), 0);
  const document = await vscode.workspace.openTextDocument(uriOf(root, path));
  const editor = await vscode.window.showTextDocument(document, { preview: true });
  const range = document.lineAt(Math.min(position.line, document.lineCount - 1)).range;
  editor.selection = new vscode.Selection(range.start, range.start);
  editor.revealRange(range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}
