/** The Ask view: a page that draws the session's turns, and what its buttons do. */
import * as vscode from "vscode";
import type { ContextResult } from "../../daemon/protocol/context.ts";
import type { ContextModel } from "../context/context-model.ts";
import { toUserFailure } from "../daemon/failures.ts";
import { progressShare, progressText } from "../figures.ts";
import { showLine } from "../repository.ts";
import { webviewPage, webviewRoot } from "../webview-page.ts";
import type { Work } from "../work.ts";
import type { AskSession } from "./ask-session.ts";
import { turnMarkdown } from "./conversation-markdown.ts";
import { type ContextLine, readMessage, type ToExtension, type ToPage } from "./messages.ts";
import { citationsOf, type Turn } from "./turn.ts";

/** Milliseconds between two drawings of an answer that comes in. */
const drawEveryMs = 50;

export class AskView implements vscode.WebviewViewProvider, vscode.Disposable {
  readonly #extensionUri: vscode.Uri;
  readonly #session: AskSession;
  readonly #context: ContextModel;
  readonly #work: Work;
  readonly #subscriptions: vscode.Disposable[];
  #view: vscode.WebviewView | null = null;
  /** Waits for the page to be there. */
  #draft: string | null = null;
  /** The running turn as it will be drawn next. */
  #coming: Turn | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(extensionUri: vscode.Uri, session: AskSession, context: ContextModel, work: Work) {
    this.#extensionUri = extensionUri;
    this.#session = session;
    this.#context = context;
    this.#work = work;
    this.#subscriptions = [
      vscode.window.registerWebviewViewProvider("longsight.ask", this, {
        webviewOptions: { retainContextWhenHidden: true },
      }),
      session.onDidChange((turn) => {
        if (turn === null) this.#sendAll();
        else this.#sendTurn(turn);
      }),
      context.onDidChange(() => {
        this.#sendContext();
      }),
      work.onDidChange(() => {
        this.#sendContext();
      }),
    ];
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.#view = view;
    view.webview.options = { enableScripts: true, localResourceRoots: [webviewRoot(this.#extensionUri)] };
    view.webview.onDidReceiveMessage((value: unknown) => {
      const message = readMessage(value);
      if (message) void this.#receive(message);
    });
    view.onDidDispose(() => {
      this.#view = null;
    });
    view.webview.html = webviewPage(view.webview, this.#extensionUri, "ask", "Ask");
  }

  /** Shows the view with its input focused; `question` goes into the input. */
  async show(question?: string): Promise<void> {
    if (question !== undefined) this.#draft = question;
    await vscode.commands.executeCommand("longsight.ask.focus");
    this.#sendDraft();
  }

  dispose(): void {
    if (this.#timer) clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #receive(message: ToExtension): Promise<void> {
    switch (message.kind) {
      case "ready":
        this.#sendAll();
        this.#sendDraft();
        if (this.#context.result === null && vscode.workspace.isTrusted) void this.#context.refresh();
        return;
      case "ask":
        if (message.question.trim() !== "") await this.#session.ask(message.question.trim());
        return;
      case "stop":
        this.#session.stop();
        return;
      case "stop-reading":
        this.#work.stop("read");
        return;
      case "read":
        await vscode.commands.executeCommand("longsight.readRepository");
        return;
      case "show-context":
        await vscode.commands.executeCommand("longsight.context.focus");
        return;
      case "show-map":
        await vscode.commands.executeCommand("longsight.showContextMap");
        return;
      case "show-log":
        await vscode.commands.executeCommand("longsight.showLog");
        return;
      case "open":
        await this.#open(message.turn, message.citation);
        return;
      case "copy": {
        const turn = this.#turn(message.turn);
        if (turn) await vscode.env.clipboard.writeText(turnMarkdown(turn));
        return;
      }
    }
  }

  async #open(id: number, index: number): Promise<void> {
    const turn = this.#turn(id);
    const root = turn && this.#session.rootOf(turn);
    const citation = turn && citationsOf(turn)[index];
    if (!root || !citation) return;
    try {
      await showLine(root, citation.path, citation.line);
    } catch (thrown) {
      void vscode.window.showWarningMessage(`${citation.path} cannot be opened: ${toUserFailure(thrown).message}`);
    }
  }

  #turn(id: number): Turn | undefined {
    return this.#session.turns.find((turn) => turn.id === id);
  }

  /** What is running changes with every token. */
  #sendTurn(turn: Turn): void {
    if (turn.state.kind === "running" && (turn.state.text !== "" || turn.state.progress !== null)) {
      if (this.#coming && this.#coming.id !== turn.id) this.#flush();
      this.#coming = turn;
      this.#timer ??= setTimeout(() => {
        this.#flush();
      }, drawEveryMs);
      return;
    }
    if (this.#coming?.id === turn.id) this.#coming = null;
    this.#flush();
    this.#send({ kind: "turn", turn });
  }

  #flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#coming) this.#send({ kind: "turn", turn: this.#coming });
    this.#coming = null;
  }

  #sendAll(): void {
    this.#coming = null;
    this.#send({ kind: "conversation", turns: this.#session.turns, context: this.#contextLine() });
  }

  #sendContext(): void {
    this.#send({ kind: "context", context: this.#contextLine() });
  }

  #sendDraft(): void {
    if (this.#draft === null || !this.#view) return;
    this.#send({ kind: "draft", question: this.#draft });
    this.#draft = null;
  }

  #contextLine(): ContextLine | null {
    const { result } = this.#context;
    if (!result) return null;
    const { budget, changes, files, leftOutCount } = result;
    const reading = this.#work.running.find(({ kind }) => kind === "read");
    return {
      usedTokens: budget.usedTokens,
      repositoryTokens: budget.repositoryTokens,
      files: files.length,
      leftOut: leftOutCount,
      changed: changes.held ? changes.count : 0,
      heldTokens: changes.held ? budget.heldTokens : 0,
      exampleFile: exampleFile(files),
      reading: reading
        ? {
            text: reading.progress ? progressText(reading.progress) : "Starting",
            share: reading.progress && progressShare(reading.progress),
          }
        : null,
    };
  }

  #send(message: ToPage): void {
    void this.#view?.webview.postMessage(message);
  }
}

/** The longest source file: a question about it shows the most. */
function exampleFile(files: ContextResult["files"]): string | null {
  const source = files.filter(({ path }) =>
    /\.(?:[cm]?[jt]sx?|py|go|rs|java|kt|c|cc|cpp|h|hpp|cs|rb|php|swift)$/.test(path),
  );
  return (
    source.reduce<(typeof files)[number] | null>(
      (most, file) => (file.tokens > (most?.tokens ?? 0) ? file : most),
      null,
    )?.path ?? null
  );
}
