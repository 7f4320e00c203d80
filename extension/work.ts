/** What this window has the daemon do right now: one place that knows it, so that every view can show and stop it. */
import * as vscode from "vscode";
import type { ProgressRecord } from "../daemon/protocol/progress.ts";
import type { Listeners } from "./daemon/connection.ts";
import type { Daemon } from "./daemon/daemon.ts";
import { isCancellation, toUserFailure } from "./daemon/failures.ts";
import { duration } from "./figures.ts";

export type WorkKind = "read" | "ask" | "summarize";

export interface RunningWork {
  readonly kind: WorkKind;
  readonly progress: ProgressRecord | null;
  readonly stop: () => void;
}

interface Entry extends RunningWork {
  progress: ProgressRecord | null;
}

/** Context keys that menus look at. */
const contextKeys: Record<WorkKind, string> = {
  read: "longsight.reading",
  ask: "longsight.answering",
  summarize: "longsight.summarizing",
};

export class Work implements vscode.Disposable {
  readonly #daemon: Daemon;
  readonly #running: Entry[] = [];
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  /** The newest first. */
  get running(): readonly RunningWork[] {
    return this.#running.toReversed();
  }

  /** A request that can be watched and stopped. Rejects as the request does. */
  async run<Result>(
    kind: WorkKind,
    method: string,
    params: object,
    listeners: Listeners = {},
    token?: vscode.CancellationToken,
  ): Promise<Result> {
    const source = new vscode.CancellationTokenSource();
    const outer = token?.onCancellationRequested(() => source.cancel());
    if (token?.isCancellationRequested === true) source.cancel();
    const work: Entry = { kind, progress: null, stop: () => source.cancel() };
    this.#running.push(work);
    this.#tell(kind);
    const onProgress = (progress: ProgressRecord): void => {
      work.progress = progress;
      listeners.onProgress?.(progress);
      this.#changed.fire();
    };
    const started = performance.now();
    // What was asked is the person's own: the log tells only that it was, and how it ended.
    const log = (end: string): void => {
      this.#daemon.log.info(`${kind}: ${end} after ${duration(performance.now() - started)}`);
    };
    try {
      const result = await this.#daemon.request<Result>(method, params, { ...listeners, onProgress }, source.token);
      log("done");
      return result;
    } catch (thrown) {
      log(isCancellation(thrown) ? "stopped" : `failed: ${toUserFailure(thrown).message}`);
      throw thrown;
    } finally {
      this.#running.splice(this.#running.indexOf(work), 1);
      this.#tell(kind);
      outer?.dispose();
      source.dispose();
    }
  }

  stop(kind: WorkKind): void {
    for (const work of this.#running) if (work.kind === kind) work.stop();
  }

  dispose(): void {
    for (const work of this.#running) work.stop();
    this.#changed.dispose();
  }

  #tell(kind: WorkKind): void {
    const active = this.#running.some((work) => work.kind === kind);
    void vscode.commands.executeCommand("setContext", contextKeys[kind], active);
    this.#changed.fire();
  }
}
