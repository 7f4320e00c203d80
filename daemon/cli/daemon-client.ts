/** The daemon as the CLI sees it: typed requests, cancellation, and failures with the catalogue's codes. */
import type net from "node:net";
import {
  CancellationTokenSource,
  createMessageConnection,
  type MessageConnection,
  ResponseError,
  SocketMessageReader,
  SocketMessageWriter,
} from "vscode-jsonrpc/node";
import { Failure, isErrorCode } from "../failure/failure.ts";
import {
  type AnswerPiece,
  type AskParams,
  type AskRecord,
  askRequest,
  cacheRequest,
  type CacheParams,
  type CacheResult,
  type InitializeParams,
  type InitializeResult,
  initializedNotification,
  initializeRequest,
  modelsRequest,
  type ModelsResult,
  productVersion,
  type ProgressParams,
  type ProgressRecord,
  progressNotification,
  statusRequest,
  type StatusResult,
  stopRequest,
  type StopResult,
  type SummarizeParams,
  summarizeRequest,
  type SummarizeResult,
  type SummaryPiece,
  type WorkDone,
} from "../protocol/index.ts";

/** Milliseconds in which messages that were received before the connection's end are handled. */
const queueDrainMs = 100;

export interface AskListeners {
  readonly onProgress: (record: ProgressRecord) => void;
  readonly onPiece: (text: string) => void;
}

export interface SummarizeListeners {
  readonly onProgress: (record: ProgressRecord) => void;
  readonly onNode: (piece: SummaryPiece) => void;
}

type ProgressValue = WorkDone | AnswerPiece | SummaryPiece;

export class DaemonClient {
  readonly #socket: net.Socket;
  readonly #rpc: MessageConnection;
  readonly #closed: Promise<void>;
  readonly #progress = new Map<string, (value: ProgressValue) => void>();
  #nextToken = 1;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#rpc = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
    this.#rpc.onNotification(progressNotification.method, ({ token, value }: ProgressParams<ProgressValue>) => {
      this.#progress.get(String(token))?.(value);
    });
    // What the daemon's end breaks is told by the requests that it leaves unanswered.
    this.#rpc.onError(() => undefined);
    this.#closed = new Promise((resolve) => {
      socket.once("close", () => {
        // The last responses may still be in vscode-jsonrpc's queue, which hands on one message per turn of the loop.
        setTimeout(() => {
          this.#rpc.dispose(); // rejects what is pending
          resolve();
        }, queueDrainMs);
      });
    });
    this.#rpc.listen();
  }

  /** A connection after the handshake. Rejects with `version-mismatch`. */
  static async connect(socket: net.Socket): Promise<DaemonClient> {
    const client = new DaemonClient(socket);
    const params: InitializeParams = {
      processId: process.pid,
      clientInfo: { name: "longsight-cli", version: productVersion },
      capabilities: {},
      initializationOptions: { longsight: { version: productVersion } },
    };
    try {
      await client.#request<InitializeResult>(initializeRequest.method, params);
      await client.#rpc.sendNotification(initializedNotification.method, {});
    } catch (thrown) {
      client.close();
      throw thrown;
    }
    return client;
  }

  /** To any version's daemon, without a handshake; resolves when it has closed the connection. */
  static async stop(socket: net.Socket): Promise<StopResult> {
    const client = new DaemonClient(socket);
    const result = await client.#request<StopResult>(stopRequest.method, {});
    await client.#closed;
    return result;
  }

  async ask(
    params: Omit<AskParams, "workDoneToken" | "partialResultToken">,
    signal: AbortSignal,
    listeners: AskListeners,
  ): Promise<AskRecord> {
    const workDoneToken = this.#listen((value) => {
      if ("kind" in value && value.kind === "report") listeners.onProgress(value.longsight);
    });
    const partialResultToken = this.#listen((value) => {
      if ("text" in value) listeners.onPiece(value.text);
    });
    try {
      return await this.#request<AskRecord>(
        askRequest.method,
        { ...params, workDoneToken, partialResultToken },
        signal,
      );
    } finally {
      this.#progress.delete(workDoneToken);
      this.#progress.delete(partialResultToken);
    }
  }

  async summarize(
    params: Omit<SummarizeParams, "workDoneToken" | "partialResultToken">,
    signal: AbortSignal,
    listeners: SummarizeListeners,
  ): Promise<SummarizeResult> {
    const workDoneToken = this.#listen((value) => {
      if ("kind" in value && value.kind === "report") listeners.onProgress(value.longsight);
    });
    const partialResultToken = this.#listen((value) => {
      if ("node" in value) listeners.onNode(value);
    });
    try {
      return await this.#request(summarizeRequest.method, { ...params, workDoneToken, partialResultToken }, signal);
    } finally {
      this.#progress.delete(workDoneToken);
      this.#progress.delete(partialResultToken);
    }
  }

  async status(): Promise<StatusResult> {
    return this.#request(statusRequest.method, {});
  }

  async models(): Promise<ModelsResult> {
    return this.#request(modelsRequest.method, {});
  }

  async cache(params: CacheParams): Promise<CacheResult> {
    return this.#request(cacheRequest.method, params);
  }

  close(): void {
    this.#socket.end();
  }

  #listen(listener: (value: ProgressValue) => void): string {
    const token = `cli-${(this.#nextToken++).toString()}`;
    this.#progress.set(token, listener);
    return token;
  }

  async #request<Result>(method: string, params: object, signal?: AbortSignal): Promise<Result> {
    const cancellation = new CancellationTokenSource();
    const cancel = (): void => {
      cancellation.cancel();
    };
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
    try {
      return await this.#rpc.sendRequest<Result>(method, params, cancellation.token);
    } catch (thrown) {
      throw toClientFailure(thrown);
    } finally {
      signal?.removeEventListener("abort", cancel);
      cancellation.dispose();
    }
  }
}

function toClientFailure(thrown: unknown): Failure {
  if (thrown instanceof ResponseError) {
    const data: unknown = thrown.data;
    const code = typeof data === "object" && data !== null && "code" in data ? data.code : undefined;
    if (isErrorCode(code)) return new Failure(code, thrown.message, { cause: thrown });
  }
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new Failure("daemon-unreachable", `The daemon ended the connection before it had answered (${reason}).`, {
    cause: thrown,
  });
}
