/** One item in the status bar: what the daemon is and does; details in its tooltip; a click opens the Ask view. */
import path from "node:path";
import * as vscode from "vscode";
import type { ContextModel } from "./context/context-model.ts";
import type { Daemon, DaemonState } from "./daemon/daemon.ts";
import { bytes, count, percent, plural, progressShare, progressText, shortCount } from "./figures.ts";
import type { Work } from "./work.ts";

/** Milliseconds: the engine is freed by the daemon when idle, and nobody tells. */
const lookEveryMs = 30_000;

export class StatusItem implements vscode.Disposable {
  readonly #daemon: Daemon;
  readonly #work: Work;
  readonly #context: ContextModel;
  readonly #item: vscode.StatusBarItem;
  readonly #subscriptions: vscode.Disposable[];
  readonly #timer: NodeJS.Timeout;

  constructor(daemon: Daemon, work: Work, context: ContextModel) {
    this.#daemon = daemon;
    this.#work = work;
    this.#context = context;
    this.#item = vscode.window.createStatusBarItem("longsight.status", vscode.StatusBarAlignment.Right, 90);
    this.#item.name = "Longsight";
    this.#item.command = "longsight.askRepository";
    const draw = (): void => {
      this.#draw();
    };
    this.#subscriptions = [
      daemon.onDidChange(draw),
      work.onDidChange(draw),
      context.onDidChange(draw),
      vscode.workspace.onDidGrantWorkspaceTrust(draw),
    ];
    this.#timer = setInterval(() => void daemon.refreshStatus(), lookEveryMs);
    this.#draw();
    this.#item.show();
  }

  dispose(): void {
    clearInterval(this.#timer);
    this.#item.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #draw(): void {
    const { state } = this.#daemon;
    const [running] = this.#work.running;
    const tooltip = new vscode.MarkdownString(undefined, true);
    for (const line of this.#details(state)) tooltip.appendText(line).appendMarkdown("\n\n");
    this.#item.tooltip = tooltip;
    this.#item.backgroundColor = undefined;
    if (running) {
      const { progress } = running;
      const share = progress && progressShare(progress);
      this.#item.text = `$(sync~spin) Longsight${share === null ? "" : ` ${percent(share, 0)}`}`;
      return;
    }
    switch (state.kind) {
      case "off":
      case "lost":
        this.#item.text = "$(telescope) Longsight";
        return;
      case "starting":
        this.#item.text = "$(sync~spin) Longsight";
        return;
      case "running": {
        const held = this.#context.result?.budget.heldTokens ?? 0;
        const changed = this.#context.changes?.held === true ? this.#context.changes.count : 0;
        const stale = changed > 0 ? `, ${plural(changed, "file")} changed` : "";
        this.#item.text = `$(telescope) Longsight${held > 0 ? ` ${shortCount(held)} tokens` : ""}${stale}`;
        if (state.health.health !== "ok") {
          this.#item.backgroundColor = new vscode.ThemeColor("statusBarItem.warningBackground");
        }
        return;
      }
      case "gave-up":
      case "failed":
        this.#item.text = "$(error) Longsight";
        this.#item.backgroundColor = new vscode.ThemeColor("statusBarItem.errorBackground");
        return;
    }
  }

  #details(state: DaemonState): readonly string[] {
    const lines = [stateText(state)];
    for (const { progress } of this.#work.running) if (progress) lines.push(progressText(progress));
    const { result } = this.#context;
    if (result) {
      const { usedTokens, repositoryTokens, heldTokens } = result.budget;
      lines.push(`Context: ${count(usedTokens)} of ${count(repositoryTokens)} tokens, ${count(heldTokens)} read`);
    }
    if (state.kind !== "running" || !state.status) return lines;
    const { engine, sessions } = state.status;
    if (engine.state === "ready") {
      const { model, device, instructionSet, threads, peakMemoryBytes, kvBytes } = engine;
      lines.push(
        `Model: ${path.basename(model)}`,
        `Device: ${device}, ${instructionSet}, ${plural(threads, "thread")}`,
        `Memory: ${bytes(peakMemoryBytes)} at its peak, of which KV ${bytes(kvBytes)}`,
      );
    }
    if (sessions.length > 1) lines.push(`${plural(sessions.length, "repository context")} held`);
    return lines;
  }
}

export function stateText(state: DaemonState): string {
  switch (state.kind) {
    case "off":
      return "Longsight: starts with the first question";
    case "starting":
      return "Longsight: starting";
    case "running": {
      const { health, message } = state.health;
      if (health !== "ok") return `Longsight: ${message ?? health}`;
      return state.status?.engine.state === "ready" ? "Longsight: ready" : "Longsight: running, the engine is at rest";
    }
    case "lost":
      return "Longsight: the daemon ended; it starts with the next question";
    case "gave-up":
      return "Longsight: the daemon ended too often; start it by command";
    case "failed":
      return `Longsight: not started: ${state.message}`;
  }
}
