/** What the next question would read: asked of the daemon, and asked again when files, choices or settings change. */
import * as vscode from "vscode";
import {
  changesRequest,
  contextRequest,
  openRequest,
  type ContextChanges,
  type ContextResult,
  type OpenResult,
} from "../../daemon/protocol/context.ts";
import type { Daemon } from "../daemon/daemon.ts";
import { isCancellation, toUserFailure, type UserFailure } from "../daemon/failures.ts";
import { repositoryFolder, requireFolder, targetOf } from "../repository.ts";
import type { Work } from "../work.ts";
import type { FileChoices } from "./file-choices.ts";

/** Milliseconds: a save of many files, or a change of branch, is looked at once. */
const quietMs = 400;

export class ContextModel implements vscode.Disposable {
  readonly choices: FileChoices;
  readonly #daemon: Daemon;
  readonly #work: Work;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[];
  #result: ContextResult | null = null;
  #failure: UserFailure | null = null;
  #refreshing: Promise<void> | null = null;
  #again = false;
  #timer: NodeJS.Timeout | null = null;
  readonly onDidChange = this.#changed.event;

  constructor(daemon: Daemon, work: Work, choices: FileChoices) {
    this.#daemon = daemon;
    this.#work = work;
    this.choices = choices;
    const watcher = vscode.workspace.createFileSystemWatcher("**/*");
    const look = (uri: vscode.Uri): void => {
      if (!/\/\.git\//.test(uri.path)) this.#lookSoon();
    };
    this.#subscriptions = [
      watcher,
      watcher.onDidChange(look),
      watcher.onDidCreate(look),
      watcher.onDidDelete(look),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (document.uri.scheme === "file" && contentChanges.length > 0) this.#lookSoon();
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (this.#result && event.affectsConfiguration("longsight")) void this.refresh();
      }),
      choices.onDidChange(() => void this.refresh()),
      daemon.onDidChange(({ kind }) => {
        if (kind !== "running" && kind !== "starting") this.#forgetHeld();
      }),
    ];
  }

  /** Null until it was asked for. */
  get result(): ContextResult | null {
    return this.#result;
  }

  get failure(): UserFailure | null {
    return this.#failure;
  }

  get changes(): ContextChanges | null {
    return this.#result?.changes ?? null;
  }

  /** Where the paths of `result` begin. */
  get root(): vscode.Uri | null {
    return this.#result ? vscode.Uri.file(this.#result.repository) : null;
  }

  /** Lists, orders and packs; the model reads nothing. Starts the daemon. Never rejects. */
  refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#fetch().finally(() => {
      this.#refreshing = null;
      if (this.#again) {
        this.#again = false;
        void this.refresh();
      }
    });
    return this.#refreshing;
  }

  /** Has the model read what it has not read yet. Rejects with a failure; a stop is none. */
  async read(token?: vscode.CancellationToken): Promise<OpenResult | null> {
    const target = targetOf(requireFolder(), this.choices);
    try {
      return await this.#work.run<OpenResult>("read", openRequest.method, target, {}, token);
    } catch (thrown) {
      if (isCancellation(thrown)) return null;
      throw thrown;
    } finally {
      void this.refresh();
    }
  }

  dispose(): void {
    if (this.#timer) clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
  }

  /** What was read went with the daemon. */
  #forgetHeld(): void {
    if (!this.#result || (this.#result.budget.heldTokens === 0 && !this.#result.changes.held)) return;
    const budget = { ...this.#result.budget, heldTokens: 0 };
    this.#result = { ...this.#result, budget, changes: { held: false, files: [], count: 0 } };
    this.#changed.fire();
  }

  async #fetch(): Promise<void> {
    const folder = repositoryFolder();
    if (folder === null) {
      this.#result = null;
      this.#failure = null;
      this.#changed.fire();
      return;
    }
    try {
      this.#result = await this.#daemon.request<ContextResult>(contextRequest.method, targetOf(folder, this.choices));
      this.#failure = null;
    } catch (thrown) {
      this.#failure = toUserFailure(thrown);
      this.#daemon.log.warn(`context: ${this.#failure.message}`);
    }
    this.#changed.fire();
  }

  /** After edits: only how stale the KV is, and only when somebody has looked already. */
  #lookSoon(): void {
    if (!this.#result || this.#daemon.state.kind !== "running") return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), quietMs);
  }

  async #look(): Promise<void> {
    const folder = repositoryFolder();
    if (folder === null || this.#daemon.state.kind !== "running") return;
    const target = targetOf(folder, this.choices);
    const changes = await this.#daemon.request<ContextChanges>(changesRequest.method, target).catch(() => null);
    if (changes === null || !this.#result) return;
    this.#result = { ...this.#result, changes };
    this.#changed.fire();
  }
}
