/** The context map: what is in the context by area, and after an answer, where its attention lay. */
import * as vscode from "vscode";
import type { AskRecord } from "../../daemon/protocol/ask.ts";
import type { AskSession } from "../ask/ask-session.ts";
import type { ContextModel } from "../context/context-model.ts";
import { showLine } from "../repository.ts";
import { webviewPage, webviewRoot } from "../webview-page.ts";
import { readMapMessage, type MapData } from "./messages.ts";

export class MapPanel implements vscode.Disposable {
  readonly #extensionUri: vscode.Uri;
  readonly #context: ContextModel;
  readonly #subscriptions: vscode.Disposable[];
  #panel: vscode.WebviewPanel | null = null;
  #answer: { question: string; record: AskRecord } | null = null;

  constructor(extensionUri: vscode.Uri, context: ContextModel, session: AskSession) {
    this.#extensionUri = extensionUri;
    this.#context = context;
    this.#subscriptions = [
      session.onDidAnswer(({ question, record }) => {
        this.#answer = { question, record };
        this.#send();
      }),
      context.onDidChange(() => {
        this.#send();
      }),
    ];
  }

  show(): void {
    if (this.#panel) {
      this.#panel.reveal();
      return;
    }
    const panel = vscode.window.createWebviewPanel("longsight.map", "Context Map", vscode.ViewColumn.Active, {
      enableScripts: true,
      localResourceRoots: [webviewRoot(this.#extensionUri)],
    });
    panel.webview.onDidReceiveMessage((value: unknown) => void this.#receive(value));
    panel.onDidDispose(() => {
      this.#panel = null;
    });
    panel.webview.html = webviewPage(panel.webview, this.#extensionUri, "map", "Context Map");
    this.#panel = panel;
    if (this.#context.result === null) void this.#context.refresh();
  }

  dispose(): void {
    this.#panel?.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #receive(value: unknown): Promise<void> {
    const message = readMapMessage(value);
    if (message?.kind === "ready") this.#send();
    const { root } = this.#context;
    if (message === null || message.kind === "ready" || root === null) return;
    const { files, blocks } = this.#data();
    const place = message.kind === "open-file" ? files[message.index] : blocks[message.index];
    if (place) await showLine(root, place.path, "line" in place ? place.line : 1).then(undefined, () => undefined);
  }

  #send(): void {
    void this.#panel?.webview.postMessage(this.#data());
  }

  #data(): MapData {
    const { result } = this.#context;
    const evidence = this.#answer?.record.evidence ?? null;
    const shares = new Map(evidence?.files.map(({ path, share }) => [path, share] as const));
    return {
      kind: "map",
      files: (result?.files ?? []).map(({ path, tokens }) => ({
        path,
        tokens,
        evidence: evidence ? (shares.get(path) ?? 0) : null,
      })),
      blocks: evidence?.blocks ?? [],
      question: evidence && this.#answer ? this.#answer.question : null,
      usedTokens: result?.budget.usedTokens ?? 0,
      repositoryTokens: result?.budget.repositoryTokens ?? 0,
    };
  }
}
