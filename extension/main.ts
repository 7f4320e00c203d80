/** The extension: a daemon that starts with the first question, and the views, commands and chat parts over it. */
import * as vscode from "vscode";
import type { AskRecord } from "../daemon/protocol/ask.ts";
import type { ContextResult } from "../daemon/protocol/context.ts";
import { AskSession } from "./ask/ask-session.ts";
import { AskView } from "./ask/ask-view.ts";
import { registerChat } from "./chat/register.ts";
import { registerCommands } from "./commands.ts";
import { ContextModel } from "./context/context-model.ts";
import { ContextTree } from "./context/context-tree.ts";
import { FileChoices } from "./context/file-choices.ts";
import { Daemon, type DaemonState } from "./daemon/daemon.ts";
import { registerNameQuestions } from "./editor/name-questions.ts";
import { MapPanel } from "./map/map-panel.ts";
import { StatusItem } from "./status-item.ts";
import { SummariesView } from "./summaries/summaries-view.ts";
import { Work } from "./work.ts";

let running: Daemon | null = null;

/** What other extensions get from `activate`. */
export interface LongsightApi {
  /** Milliseconds of this extension's own code at the editor's start. */
  readonly activationMs: number;
  readonly state: () => DaemonState;
  /** What the next question would read; null before it was asked for. */
  readonly context: () => ContextResult | null;
  /** Starts the daemon if need be. Rejects as the daemon does. */
  readonly ask: (question: string, token?: vscode.CancellationToken) => Promise<AskRecord>;
}

/** Registers only: nothing is started, no file is read. */
export function activate(extension: vscode.ExtensionContext): LongsightApi {
  const started = performance.now();
  const { extensionUri, extensionPath, subscriptions, workspaceState } = extension;
  const daemon = new Daemon(extensionPath);
  const work = new Work(daemon);
  const choices = new FileChoices(workspaceState);
  const context = new ContextModel(daemon, work, choices);
  const session = new AskSession(work, context, workspaceState);
  const askView = new AskView(extensionUri, session, context, work);
  const map = new MapPanel(extensionUri, context, session);
  const summaries = new SummariesView(daemon, work, choices);
  running = daemon;
  subscriptions.push(
    daemon,
    work,
    choices,
    context,
    session,
    askView,
    map,
    summaries,
    new ContextTree(context, work, daemon),
    new StatusItem(daemon, work, context),
    registerCommands({ daemon, context, session, askView, map, summaries }),
    registerNameQuestions(),
    registerChat({ session, work, choices }, vscode.Uri.joinPath(extensionUri, "media", "view.svg")),
  );
  return {
    activationMs: performance.now() - started,
    state: () => daemon.state,
    context: () => context.result,
    ask: async (question, token) => (await session.answer(question, token ? { token } : {})).record,
  };
}

/** The daemon lives on for other windows and for later; this window's connection ends properly. */
export async function deactivate(): Promise<void> {
  await running?.close();
  running = null;
}
