/** The commands that package.json names, each with what it does; failures of what a person asked for pop up. */
import * as vscode from "vscode";
import { cacheRequest, type CacheResult } from "../daemon/protocol/cache.ts";
import type { AskSession } from "./ask/ask-session.ts";
import type { AskView } from "./ask/ask-view.ts";
import { conversationMarkdown } from "./ask/conversation-markdown.ts";
import type { ContextModel } from "./context/context-model.ts";
import type { Daemon } from "./daemon/daemon.ts";
import { isCancellation, toUserFailure } from "./daemon/failures.ts";
import { debugInformation } from "./debug-information.ts";
import { explainQuestion } from "./editor/explain.ts";
import { bytes } from "./figures.ts";
import type { MapPanel } from "./map/map-panel.ts";
import { repositoryFolder, requireFolder } from "./repository.ts";
import { saveMarkdown } from "./save-markdown.ts";
import type { SummariesView } from "./summaries/summaries-view.ts";

export interface CommandParts {
  readonly daemon: Daemon;
  readonly context: ContextModel;
  readonly session: AskSession;
  readonly askView: AskView;
  readonly map: MapPanel;
  readonly summaries: SummariesView;
}

export function registerCommands(parts: CommandParts): vscode.Disposable {
  const { daemon, context, session, askView, map, summaries } = parts;
  const inform = (text: string): void => void vscode.window.showInformationMessage(text);
  const commands: Record<string, (...args: readonly unknown[]) => Promise<void> | void> = {
    "longsight.askRepository": (question) => askView.show(typeof question === "string" ? question : ""),
    "longsight.newConversation": () => {
      session.clear();
    },
    "longsight.exportConversation": async () => {
      if (session.turns.length === 0) {
        inform("There is no conversation to export yet.");
        return;
      }
      const { name } = requireFolder();
      await saveMarkdown(`${name}-questions.md`, conversationMarkdown(name, session.turns));
    },
    "longsight.stopAnswer": () => {
      session.stop();
    },
    "longsight.explainSelection": async () => {
      const question = explainQuestion(vscode.window.activeTextEditor);
      if (question === null) {
        inform("Select a name or some code first.");
        return;
      }
      await askView.show("");
      await session.ask(question);
    },
    "longsight.readRepository": async () => {
      await context.read();
    },
    "longsight.resetFileChoices": () => context.choices.reset(requireFolder()),
    "longsight.showContextMap": () => {
      map.show();
    },
    "longsight.summarizeRepository": async () => {
      await vscode.commands.executeCommand("longsight.summaries.focus");
      await summaries.summarize();
    },
    "longsight.stopSummaries": () => {
      summaries.stop();
    },
    "longsight.exportSummaries": async () => {
      if (summaries.markdown === null) {
        inform("There are no summaries to export yet: summarize the repository first.");
        return;
      }
      await saveMarkdown(`${requireFolder().name}-summary.md`, summaries.markdown);
    },
    "longsight.startDaemon": async () => {
      await daemon.start();
      if (repositoryFolder()) await context.refresh();
    },
    "longsight.stopDaemon": async () => {
      if (!(await daemon.stop())) inform("Longsight's daemon is not running in this window.");
    },
    "longsight.restartDaemon": async () => {
      await daemon.restart();
      if (repositoryFolder()) await context.refresh();
    },
    "longsight.showLog": () => {
      daemon.log.show();
    },
    "longsight.showDebugInformation": async () => {
      const content = await debugInformation(daemon, context);
      const document = await vscode.workspace.openTextDocument({ language: "json", content });
      await vscode.window.showTextDocument(document);
    },
    "longsight.clearCache": async () => {
      if (daemon.state.kind !== "running") {
        inform("Longsight's daemon is not running in this window: it holds nothing for it.");
        return;
      }
      const { releasedBytes } = await daemon.request<CacheResult>(cacheRequest.method, { release: true });
      inform(`Longsight freed ${bytes(releasedBytes)}.`);
      await context.refresh();
    },
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([name, run]) =>
      vscode.commands.registerCommand(name, async (...args: unknown[]) => {
        try {
          await run(...args);
        } catch (thrown) {
          showFailure(daemon, thrown);
        }
      }),
    ),
  );
}

export function showFailure(daemon: Daemon, thrown: unknown): void {
  if (isCancellation(thrown)) return;
  const { message, next } = toUserFailure(thrown);
  daemon.log.error(message);
  void vscode.window.showErrorMessage(`Longsight: ${message} ${next}`.trim(), "Show Log").then((choice) => {
    if (choice !== undefined) daemon.log.show();
  });
}
