/** Hover and code lens, both off by default: a question about the name under the pointer, or above a definition. */
import * as vscode from "vscode";
import { readSettings } from "../settings.ts";
import { questionAbout } from "./question-about.ts";

/** Lines that define something, in most languages. */
const definition =
  /^\s*(?:export\s+|public\s+|pub\s+|async\s+|static\s+|default\s+)*(?:function\*?|class|interface|struct|trait|enum|def|fn|func)\s+[\w$]{2,}/;
const maxLenses = 200;

export function registerNameQuestions(): vscode.Disposable {
  const files = { scheme: "file" };
  const changed = new vscode.EventEmitter<void>();
  return vscode.Disposable.from(
    changed,
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("longsight.codeLens")) changed.fire();
    }),
    vscode.languages.registerHoverProvider(files, { provideHover }),
    vscode.languages.registerCodeLensProvider(files, { onDidChangeCodeLenses: changed.event, provideCodeLenses }),
  );
}

function provideHover(document: vscode.TextDocument, position: vscode.Position): vscode.Hover | null {
  if (!readSettings().hover) return null;
  const range = document.getWordRangeAtPosition(position, /[\w$]{3,80}/);
  const question = range && questionAbout(document.getText(range));
  if (!range || question === null || question === undefined) return null;
  const link = new vscode.MarkdownString();
  // Only our own command, and its argument is encoded: the word cannot become markup.
  link.isTrusted = { enabledCommands: ["longsight.askRepository"] };
  const argument = encodeURIComponent(JSON.stringify([question]));
  link.appendMarkdown(`[Ask the whole repository](command:longsight.askRepository?${argument})`);
  return new vscode.Hover(link, range);
}

function provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
  if (!readSettings().codeLens) return [];
  const lenses: vscode.CodeLens[] = [];
  for (let line = 0; line < document.lineCount && lenses.length < maxLenses; line++) {
    const { text, range } = document.lineAt(line);
    const question = definition.test(text) ? questionAbout(text) : null;
    if (question === null) continue;
    const command = { command: "longsight.askRepository", title: "Ask the repository", arguments: [question] };
    lenses.push(new vscode.CodeLens(range, command));
  }
  return lenses;
}
