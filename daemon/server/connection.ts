/** One client: handshake, requests, cancellation, and the answers' way back. */
import type net from "node:net";
import { fileURLToPath } from "node:url";
import {
  type CancellationToken,
  createMessageConnection,
  type MessageConnection,
  ResponseError,
} from "vscode-jsonrpc/node";
import { Failure, toFailure } from "../failure/failure.ts";
import {
  commands,
  errorCatalogue,
  executeCommandRequest,
  cancelProgressNotification,
  didChangeNotification,
  didCloseNotification,
  didOpenNotification,
  exitNotification,
  initializedNotification,
  type InitializeResult,
  initializeRequest,
  progressNotification,
  type ProgressToken,
  rpcErrors,
  serverStatusNotification,
  type ServerStatusParams,
  shutdownRequest,
  type StopResult,
  stopRequest,
} from "../protocol/index.ts";
import type { LongsightService } from "../sessions/service.ts";
import { ParamsReader } from "./check-params.ts";
import type { Log } from "./log.ts";
import { OpenDocuments } from "./open-documents.ts";
import { NodeSender, PieceSender, type SendProgress, WorkDoneSender } from "./progress-sender.ts";
import { type Call, readCommand, routes } from "./routes.ts";
import { endSocket, GuardedReader, InFlight, SocketWriter } from "./transport.ts";

export interface ConnectionHost {
  readonly version: string;
  readonly service: LongsightService;
  readonly log: Log;
  /** A client asked the whole daemon to stop. */
  requestStop(): void;
}

type State = "new" | "ready" | "shut-down";

export class Connection {
  readonly #socket: net.Socket;
  readonly #host: ConnectionHost;
  readonly #rpc: MessageConnection;
  /** What this client asked for; all of it ends when the client is gone. */
  readonly #running = new Set<AbortController>();
  readonly #inFlight = new InFlight();
  /** What is running with a `workDoneToken`. */
  readonly #byProgressToken = new Map<ProgressToken, AbortController>();
  #state: State = "new";
  #gone = false;
  #rootPath: string | undefined;
  readonly #documents = new OpenDocuments();

  constructor(socket: net.Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    const writer = new SocketWriter(socket, this.#inFlight);
    const reader = new GuardedReader(socket, writer, this.#inFlight);
    this.#rpc = createMessageConnection(reader, writer, {
      error: (text) => {
        host.log.error(text);
      },
      warn: (text) => {
        host.log.error(text);
      },
      info: () => undefined,
      log: () => undefined,
    });
    this.#rpc.onRequest((method, params, token) => this.#request(method, params, token));
    this.#rpc.onNotification((method, params) => {
      // What else an editor tells, such as which files it saved, does not count: files are looked at before each answer.
      if (method === exitNotification.method) this.end();
      else if (method === cancelProgressNotification.method) this.#cancelProgress(params);
      else if (method === initializedNotification.method && this.#state === "ready")
        this.sendHealth({ health: "ok", quiescent: true });
      else if (this.#state === "ready") this.#documentNotification(method, params);
    });
    this.#rpc.onError(([error]) => {
      host.log.info(`connection: ${error.message}`);
    });
    socket.once("close", () => {
      this.#gone = true;
      for (const aborter of this.#running) aborter.abort();
      this.#rpc.dispose();
    });
    this.#rpc.listen();
  }

  /** Ends the connection when what was written has left. */
  end(): void {
    endSocket(this.#socket);
  }

  /** The same, when every request has been answered. */
  async endWhenAnswered(): Promise<void> {
    await this.#inFlight.allAnswered();
    this.end();
  }

  sendHealth(params: ServerStatusParams): void {
    if (this.#state === "ready") void this.#notify(serverStatusNotification.method, params);
  }

  async #request(method: string, params: unknown, token: CancellationToken): Promise<unknown> {
    const aborter = new AbortController();
    const abort = (): void => {
      aborter.abort();
    };
    if (token.isCancellationRequested || this.#gone) abort();
    const cancelled = token.onCancellationRequested(abort);
    this.#running.add(aborter);
    try {
      return await this.#dispatch(method, params, aborter);
    } catch (thrown) {
      return this.#toResponseError(method, thrown);
    } finally {
      cancelled.dispose();
      this.#running.delete(aborter);
    }
  }

  async #dispatch(method: string, params: unknown, aborter: AbortController): Promise<unknown> {
    if (method === stopRequest.method) return this.#stop();
    if (method === initializeRequest.method) return this.#initialize(params);
    if (this.#state === "new") {
      throw new ResponseError(rpcErrors.serverNotInitialized, `"${method}" before "initialize".`);
    }
    if (this.#state === "shut-down") {
      throw new ResponseError(rpcErrors.invalidRequest, `"${method}" after "shutdown".`);
    }
    if (method === shutdownRequest.method) {
      this.#state = "shut-down";
      return null;
    }
    if (method === executeCommandRequest.method) {
      const mirrored = readCommand(params);
      return this.#dispatch(mirrored.method, mirrored.params, aborter);
    }
    const handler = routes.get(method);
    if (!handler) throw new ResponseError(rpcErrors.methodNotFound, `The method "${method}" is unknown.`);
    return this.#withProgress(aborter, (call) => handler(params, call));
  }

  async #withProgress(aborter: AbortController, handle: (call: Call) => Promise<unknown>): Promise<unknown> {
    const send: SendProgress = (token, value) => this.#notify(progressNotification.method, { token, value });
    const senders: { workDone?: WorkDoneSender; pieces?: PieceSender; nodes?: NodeSender } = {};
    const tokens: ProgressToken[] = [];
    try {
      return await handle({
        service: this.#host.service,
        signal: aborter.signal,
        rootPath: this.#rootPath,
        documents: this.#documents.snapshot(),
        progress: (token, title) => {
          if (token === undefined) return () => undefined;
          tokens.push(token);
          this.#byProgressToken.set(token, aborter);
          const sender = (senders.workDone = new WorkDoneSender(token, title, send));
          return (record) => {
            sender.report(record);
          };
        },
        pieces: (token) => {
          if (token === undefined) return () => undefined;
          const sender = (senders.pieces = new PieceSender(token, send));
          return (text) => {
            sender.add(text);
          };
        },
        nodes: (token) => {
          if (token === undefined) return () => undefined;
          const sender = (senders.nodes = new NodeSender(token, send));
          return (piece) => {
            sender.add(piece);
          };
        },
      });
    } finally {
      for (const token of tokens) this.#byProgressToken.delete(token);
      // The response comes last: a client forgets the tokens when it has it.
      await senders.pieces?.flush();
      await senders.nodes?.flush();
      await senders.workDone?.end();
    }
  }

  #cancelProgress(params: unknown): void {
    const token: unknown =
      typeof params === "object" && params !== null && "token" in params ? params.token : undefined;
    if (typeof token === "string" || typeof token === "number") this.#byProgressToken.get(token)?.abort();
  }

  #documentNotification(method: string, params: unknown): void {
    try {
      let problem: string | null = null;
      if (method === didOpenNotification.method) problem = this.#documents.open(params);
      else if (method === didChangeNotification.method) problem = this.#documents.change(params);
      else if (method === didCloseNotification.method) this.#documents.close(params);
      if (problem !== null) this.#host.log.info(`document: ${problem}`);
    } catch (thrown) {
      this.#host.log.info(`document: ${method}: ${toFailure(thrown).message}`);
    }
  }

  #initialize(params: unknown): InitializeResult {
    if (this.#state !== "new") throw new ResponseError(rpcErrors.invalidRequest, '"initialize" was sent twice.');
    const reader = new ParamsReader(params);
    const options = new ParamsReader(reader.raw("initializationOptions"));
    const theirs = new ParamsReader(options.raw("longsight")).text("version", 64);
    const { version } = this.#host;
    if (theirs !== undefined && theirs !== version) {
      throw new Failure("version-mismatch", `This daemon is version ${version}, the client is version ${theirs}.`);
    }
    this.#rootPath = readRoot(reader);
    this.#state = "ready";
    return {
      capabilities: {
        positionEncoding: "utf-16",
        textDocumentSync: { openClose: true, change: 2 },
        executeCommandProvider: { commands: Object.keys(commands), workDoneProgress: true },
        experimental: { longsight: { version, pid: process.pid } },
      },
      serverInfo: { name: "longsight", version },
    };
  }

  #stop(): StopResult {
    // After this turn, so that the response is written before the connections end.
    setImmediate(() => {
      this.#host.requestStop();
    });
    return { pid: process.pid, version: this.#host.version };
  }

  async #notify(method: string, params: object): Promise<void> {
    if (this.#gone || !this.#socket.writable) return;
    await this.#rpc.sendNotification(method, params);
  }

  #toResponseError(method: string, thrown: unknown): ResponseError<unknown> {
    if (thrown instanceof ResponseError) return thrown;
    const failure = toFailure(thrown);
    if (failure.code === "internal") this.#host.log.error(`${method}: ${failure.message}`, failure.cause ?? failure);
    const { rpc, next } = errorCatalogue[failure.code];
    return new ResponseError(rpc, failure.message, { code: failure.code, next });
  }
}

function readRoot(params: ParamsReader): string | undefined {
  const folders = params.raw("workspaceFolders");
  const first: unknown = Array.isArray(folders) ? folders[0] : undefined;
  const uri = first === undefined ? params.text("rootUri", 4096) : new ParamsReader(first).text("uri", 4096);
  if (!uri?.startsWith("file:")) return undefined;
  try {
    return fileURLToPath(uri);
  } catch (thrown) {
    throw new Failure("invalid-argument", `The root ${JSON.stringify(uri)} is not a path on this machine.`, {
      cause: thrown,
    });
  }
}
