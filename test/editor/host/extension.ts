/** The extension under test, from inside the editor. */
import assert from "node:assert/strict";
import * as vscode from "vscode";
import type { LongsightApi } from "../../../extension/main.ts";

export async function longsight(): Promise<LongsightApi> {
  const extension = vscode.extensions.getExtension<LongsightApi>("longsight.longsight");
  assert(extension, "the extension is not installed");
  return extension.activate();
}

/** The daemon's process, as the extension's status tells it. */
export async function daemonPid(): Promise<number> {
  const { state } = await longsight();
  await until("the daemon's status is known", () => {
    const now = state();
    return now.kind === "running" && now.status !== null;
  });
  const now = state();
  assert(now.kind === "running" && now.status);
  return now.status.pid;
}

export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!holds()) {
    assert(Date.now() < deadline, `not in a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export interface DebugInformation {
  readonly daemon: { readonly kind: string };
  readonly bridge: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

export async function debugInformation(): Promise<DebugInformation> {
  await vscode.commands.executeCommand("longsight.showDebugInformation");
  const document = vscode.window.activeTextEditor?.document;
  assert.equal(document?.languageId, "json");
  const information = JSON.parse(document.getText()) as DebugInformation;
  await vscode.commands.executeCommand("workbench.action.revertAndCloseActiveEditor");
  return information;
}
