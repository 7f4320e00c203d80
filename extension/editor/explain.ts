/** "Explain with the Whole Repository", on a selection or the word under the cursor. */
import type * as vscode from "vscode";
import { questionAbout } from "./question-about.ts";

export function explainQuestion(editor: vscode.TextEditor | undefined): string | null {
  if (!editor) return null;
  const { document, selection } = editor;
  const range = selection.isEmpty ? document.getWordRangeAtPosition(selection.active) : selection;
  return range ? questionAbout(document.getText(range)) : null;
}
