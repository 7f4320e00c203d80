/** The daemon as this window sees it: started with the first request, found again after an end, stopped on command. */
import * as vscode from "vscode";
import { statusRequest, type ServerStatusParams, type StatusResult } from "../../daemon/protocol/status.ts";
import { duration, plural } from "../figures.ts";
import { readSettings } from "../settings.ts";
import { bridgeCommand } from "./bridge.ts";
import { Connection, type Listeners } from "./connection.ts";
import { CrashPolicy, crashLimits } from "./crash-policy.ts";
import { EditorFailure, toUserFailure } from "./failures.ts";

export type DaemonState =
  /** Not started yet, or stopped by a person. */
  | { readonly kind: "off" }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly health: ServerStatusParams; readonly status: StatusResult | null }
  /** It ended by itself; the next request starts it. */
  | { readonly kind: "lost" }
  /** It ended too often; only a person starts it. */
  | { readonly kind: "gave-up" }
  | { readonly kind: "failed"; readonly message: string };

const healthy: ServerStatusParams = { health: "ok", quiescent: true };

export class Daemon implements vscode.Disposable {
  readonly log: vscode.LogOutputChannel;
  readonly #extensionPath: string;
  readonly #trace: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<DaemonState>();
  readonly #crashes = new CrashPolicy();
  #state: DaemonState = { kind: "off" };
  #connection: Promise<Connection> | null = null;
  #disposed = false;

  /** Fires with each new state. */
  readonly onDidChange = this.#changed.event;

  constructor(extensionPath: string) {
    this.#extensionPath = extensionPath;
    this.log = vscode.window.createOutputChannel("Longsight", { log: true });
    this.#trace = vscode.window.createOutputChannel("Longsight Protocol", { log: true });
  }

  get state(): DaemonState {
    return this.#state;
  }

  /** What is run, and on which Node. */
  get bridge(): string {
    return bridgeCommand({ extensionPath: this.#extensionPath, ...readSettings() }).description;
  }

  /** Starts the daemon if need be. Rejects with what the daemon answers, or with an EditorFailure. */
  async request<Result>(
    method: string,
    params: object,
    listeners?: Listeners,
    token?: vscode.CancellationToken,
  ): Promise<Result> {
    const connection = await this.#ensure();
    try {
      return await connection.request<Result>(method, params, listeners, token);
    } finally {
      void this.refreshStatus();
    }
  }

  /** As a person's command: also after it gave up. */
  async start(): Promise<void> {
    this.#crashes.forget();
    if (this.#state.kind === "gave-up") this.#set({ kind: "off" });
    await this.#ensure();
    await this.refreshStatus();
  }

  /** Ends the daemon, for every window. False when this window had none. */
  async stop(): Promise<boolean> {
    const connection = await this.#connection?.catch(() => null);
    if (!connection) return false;
    this.#connection = null;
    this.#set({ kind: "off" });
    if (await connection.stopDaemon()) this.log.info("the daemon was stopped");
    else this.log.warn("stop: the daemon ended before it had answered");
    return true;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Never rejects, and starts nothing. */
  async refreshStatus(): Promise<void> {
    const connection = await this.#connection?.catch(() => null);
    if (!connection) return;
    const status = await connection.request<StatusResult>(statusRequest.method, {}).catch(() => null);
    if (status !== null && this.#state.kind === "running") this.#set({ ...this.#state, status });
  }

  /** For deactivate, which may wait. */
  async close(): Promise<void> {
    this.#disposed = true;
    const connection = await this.#connection?.catch(() => null);
    this.#connection = null;
    await connection?.close();
  }

  dispose(): void {
    void this.close();
    this.#changed.dispose();
    this.log.dispose();
    this.#trace.dispose();
  }

  #ensure(): Promise<Connection> {
    if (this.#disposed) return Promise.reject(new EditorFailure("The window is closing.", ""));
    if (!vscode.workspace.isTrusted) {
      const next = "Trust it with Workspaces: Manage Workspace Trust.";
      return Promise.reject(new EditorFailure("Longsight does not read a folder that is not trusted.", next));
    }
    if (this.#state.kind === "gave-up") {
      const next = "See the log, then run Longsight: Start Daemon.";
      return Promise.reject(new EditorFailure(`The daemon ended ${crashLimits.count} times in three minutes.`, next));
    }
    return (this.#connection ??= this.#open());
  }

  async #open(): Promise<Connection> {
    this.#set({ kind: "starting" });
    const bridge = bridgeCommand({ extensionPath: this.#extensionPath, ...readSettings() });
    this.log.info(`starting ${bridge.description}`);
    try {
      const connection = await Connection.open({
        bridge,
        log: this.log,
        trace: this.#trace,
        onHealth: (health) => {
          if (health.message !== undefined) this.log.info(`health ${health.health}: ${health.message}`);
          if (this.#state.kind === "running") this.#set({ ...this.#state, health });
        },
        onLost: () => {
          this.#lost();
        },
      });
      this.#set({ kind: "running", health: healthy, status: null });
      void this.#logStart(connection);
      return connection;
    } catch (thrown) {
      this.#connection = null;
      const { message } = toUserFailure(thrown);
      this.log.error(`not started: ${message}`);
      this.#set({ kind: "failed", message });
      const next = "The log says why: Longsight: Show Log.";
      throw new EditorFailure(`The daemon did not start: ${message}`, next);
    }
  }

  async #logStart(connection: Connection): Promise<void> {
    const status = await connection.request<StatusResult>(statusRequest.method, {}).catch(() => null);
    if (status === null) return;
    const { version, pid, uptimeMs, connections, logFile } = status;
    this.log.info(
      `connected to the daemon: version ${version}, process ${pid}, up for ${duration(uptimeMs)}, ` +
        `${plural(connections, "connection")}; its own log is ${logFile}`,
    );
  }

  #lost(): void {
    const connection = this.#connection;
    this.#connection = null;
    void connection?.then((lost) => lost.close());
    if (this.#crashes.ended() === "again") {
      this.log.warn("the daemon ended; the next question starts it again");
      this.#set({ kind: "lost" });
      return;
    }
    this.#set({ kind: "gave-up" });
    const text = `Longsight's daemon ended ${crashLimits.count} times in three minutes and is not started again.`;
    void vscode.window.showErrorMessage(text, "Start Again", "Show Log").then((choice) => {
      if (choice === "Show Log") this.log.show();
      if (choice === "Start Again") void vscode.commands.executeCommand("longsight.startDaemon");
    });
  }

  #set(state: DaemonState): void {
    this.#state = state;
    if (!this.#disposed) this.#changed.fire(state);
  }
}
