/** One connection to the daemon: a language client over the bridge, Longsight's requests, and their progress. */
import type { ChildProcess } from "node:child_process";
import type * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  ProgressType,
  RevealOutputChannelOn,
} from "vscode-languageclient/node";
import type { AnswerPiece, ProgressRecord, WorkDone } from "../../daemon/protocol/progress.ts";
import { limits } from "../../daemon/protocol/limits.ts";
import type { SummaryPiece } from "../../daemon/protocol/summarize.ts";
import { serverStatusNotification, type ServerStatusParams } from "../../daemon/protocol/status.ts";
import { stopRequest } from "../../daemon/protocol/stop.ts";
import { productVersion } from "../../daemon/protocol/version.ts";
import { type BridgeCommand, startBridge } from "./bridge.ts";

export interface ConnectionOptions {
  readonly bridge: BridgeCommand;
  readonly log: vscode.LogOutputChannel;
  readonly trace: vscode.LogOutputChannel;
  readonly onHealth: (health: ServerStatusParams) => void;
  /** The connection ended although nobody here ended it. */
  readonly onLost: () => void;
}

/** What a request streams while it runs. */
export interface Listeners {
  readonly onProgress?: (record: ProgressRecord) => void;
  readonly onPiece?: (piece: AnswerPiece | SummaryPiece) => void;
}

const streamed = new ProgressType<WorkDone | AnswerPiece | SummaryPiece>();
/** Milliseconds for `shutdown` to be answered; the daemon itself lives on either way. */
const closeTimeoutMs = 1000;

export class Connection {
  readonly #client: LanguageClient;
  #bridge: ChildProcess | null = null;
  #closing = false;
  #nextToken = 1;

  private constructor(options: ConnectionOptions) {
    const { bridge, log, trace, onHealth, onLost } = options;
    const start = async (): Promise<ChildProcess> => {
      this.#bridge = await startBridge(bridge, (line) => log.info(`bridge: ${line}`));
      return this.#bridge;
    };
    this.#client = new LanguageClient("longsight", "Longsight", start, {
      documentSelector: [{ scheme: "file" }],
      outputChannel: quietWhile(() => this.#closing, log),
      traceOutputChannel: trace,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: { longsight: { version: productVersion } },
      // Failures are told by who asked; the client's own notifications would say them twice.
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          if (!this.#closing) onLost();
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      middleware: {
        // A buffer that the daemon would refuse: it reads the file.
        didOpen: (document, next) => (isShort(document) ? next(document) : Promise.resolve()),
        didChange: (event, next) => (isShort(event.document) ? next(event) : Promise.resolve()),
      },
    });
    this.#client.onNotification(serverStatusNotification.method, onHealth);
  }

  /** After the handshake. Rejects when the bridge or the daemon cannot be started, or has another version. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options);
    connection.#closing = true; // what ends while starting is told by the rejection
    try {
      await connection.#client.start();
    } catch (thrown) {
      connection.#bridge?.kill();
      void connection.#client.dispose().catch(() => undefined);
      throw thrown;
    }
    connection.#closing = false;
    return connection;
  }

  async request<Result>(
    method: string,
    params: object,
    listeners: Listeners = {},
    token?: vscode.CancellationToken,
  ): Promise<Result> {
    const { onProgress, onPiece } = listeners;
    const name = `editor-${(this.#nextToken++).toString()}`;
    const tokens: { workDoneToken?: string; partialResultToken?: string } = {};
    const subscriptions: vscode.Disposable[] = [];
    if (onProgress) {
      tokens.workDoneToken = `${name}-progress`;
      subscriptions.push(
        this.#client.onProgress(streamed, tokens.workDoneToken, (value) => {
          if ("kind" in value && value.kind === "report") onProgress(value.longsight);
        }),
      );
    }
    if (onPiece) {
      tokens.partialResultToken = `${name}-pieces`;
      subscriptions.push(
        this.#client.onProgress(streamed, tokens.partialResultToken, (value) => {
          if ("text" in value || "node" in value) onPiece(value);
        }),
      );
    }
    try {
      const named = { ...params, ...tokens };
      // An absent token would count as a second, positional parameter.
      return await (token
        ? this.#client.sendRequest<Result>(method, named, token)
        : this.#client.sendRequest<Result>(method, named));
    } finally {
      for (const subscription of subscriptions) subscription.dispose();
    }
  }

  /** Ends the daemon, and with it this connection. Never rejects; false when the daemon did not answer. */
  async stopDaemon(): Promise<boolean> {
    this.#closing = true;
    const answered = await this.request(stopRequest.method, {}).then(
      () => true,
      () => false,
    );
    await this.close();
    return answered;
  }

  /** Ends this connection; the daemon lives on. Never rejects. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#client.dispose(closeTimeoutMs).catch(() => undefined);
    this.#bridge?.kill();
  }
}

function isShort(document: vscode.TextDocument): boolean {
  return document.getText().length <= limits.maxDocumentLength;
}

/** The client calls it an error when a connection ends; at an end that was wanted it is none. */
function quietWhile(isClosing: () => boolean, log: vscode.LogOutputChannel): vscode.LogOutputChannel {
  const error = (text: string | Error, ...args: readonly unknown[]): void => {
    if (isClosing()) log.debug(text.toString(), ...args);
    else log.error(text, ...args);
  };
  return new Proxy(log, {
    get: (target, name) => {
      const own: unknown = Reflect.get(target, name);
      return name === "error" ? error : own;
    },
  });
}
