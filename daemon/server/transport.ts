/**
 * One client's socket as vscode-jsonrpc's reader and writer, with our limits between the two: bad frames are answered, too many
 * requests are refused, and nothing more is read from a client that does not read its answers.
 *
 * It takes the place of StreamMessageReader, which accepts any length and whose queue loses a request when an id is used
 * twice, and which remembers cancels of unknown ids for ever.
 */
import type net from "node:net";
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  type DataCallback,
  type Disposable,
  type Message,
  type NotificationMessage,
  type RequestMessage,
  type ResponseMessage,
} from "vscode-jsonrpc/node";
import { cancelNotification, rpcErrors } from "../protocol/base.ts";
import { errorCatalogue } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { readEnvelope, type Envelope, type RequestId } from "./envelope.ts";
import { FrameParser } from "./frame-parser.ts";

/** A connection's requests that wait for their response. */
export class InFlight {
  readonly ids = new Set<RequestId>();
  #waiters: (() => void)[] = [];

  /** The request's response has been handed to the socket. */
  answered(id: RequestId): void {
    this.ids.delete(id);
    if (this.ids.size > 0) return;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** Resolves when every request has been answered. */
  async allAnswered(): Promise<void> {
    if (this.ids.size > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
}

export class GuardedReader extends AbstractMessageReader {
  readonly #socket: net.Socket;
  readonly #writer: SocketWriter;
  readonly #inFlight: InFlight;
  readonly #parser = new FrameParser();
  #frameTimer: NodeJS.Timeout | null = null;

  constructor(socket: net.Socket, writer: SocketWriter, inFlight: InFlight) {
    super();
    this.#socket = socket;
    this.#writer = writer;
    this.#inFlight = inFlight;
  }

  listen(callback: DataCallback): Disposable {
    const onData = (chunk: Buffer): void => {
      this.#read(chunk, callback);
    };
    this.#socket.on("data", onData);
    this.#socket.on("error", (error) => {
      this.fireError(error);
    });
    this.#socket.on("close", () => {
      this.#watchFrame(false);
      this.fireClose();
    });
    return { dispose: () => this.#socket.off("data", onData) };
  }

  #read(chunk: Buffer, callback: DataCallback): void {
    let bodies: Buffer[];
    try {
      bodies = this.#parser.push(chunk);
    } catch (thrown) {
      this.#fail(thrown instanceof Error ? thrown.message : String(thrown));
      return;
    }
    for (const body of bodies) this.#accept(readEnvelope(body), callback);
    this.#watchFrame(this.#parser.inFrame);
    if (this.#socket.writableLength > limits.maxUnsentBytes) {
      this.#socket.pause();
      this.#socket.once("drain", () => this.#socket.resume());
    }
  }

  #accept(envelope: Envelope, callback: DataCallback): void {
    switch (envelope.kind) {
      case "invalid":
        this.#writer.replyError(this.#isFree(envelope.id) ? envelope.id : null, envelope.code, envelope.message);
        return;
      case "response":
        return;
      case "notification":
        if (envelope.method === cancelNotification.method && !this.#cancelsSomething(envelope.params)) return;
        callback(message(envelope));
        return;
      case "request":
        this.#acceptRequest(envelope, callback);
    }
  }

  #acceptRequest(envelope: Envelope & { kind: "request" }, callback: DataCallback): void {
    const { ids } = this.#inFlight;
    if (ids.has(envelope.id)) {
      const text = `The id ${JSON.stringify(envelope.id)} belongs to a request that has not been answered yet.`;
      this.#writer.replyError(null, rpcErrors.invalidRequest, text);
    } else if (ids.size >= limits.maxRequestsInFlight) {
      const { rpc, next } = errorCatalogue["queue-full"];
      const text = `This connection has ${ids.size.toString()} unanswered requests, the most that are allowed.`;
      this.#writer.replyError(envelope.id, rpc, text, { code: "queue-full", next });
    } else {
      ids.add(envelope.id);
      callback(message(envelope));
    }
  }

  /** Cancels of requests that are over, or never were, end here. */
  #cancelsSomething(params: object | undefined): boolean {
    const id: unknown = params && "id" in params ? params.id : undefined;
    return (typeof id === "number" || typeof id === "string") && this.#inFlight.ids.has(id);
  }

  #isFree(id: RequestId | null): boolean {
    return id !== null && !this.#inFlight.ids.has(id);
  }

  /** A frame that has begun must end in time: half a frame is no reason to hold a connection for ever. */
  #watchFrame(inFrame: boolean): void {
    if (inFrame) {
      this.#frameTimer ??= setTimeout(() => {
        this.#fail(`A frame was not complete after ${limits.maxFrameMs.toString()} ms.`);
      }, limits.maxFrameMs);
    } else if (this.#frameTimer) {
      clearTimeout(this.#frameTimer);
      this.#frameTimer = null;
    }
  }

  /** The stream cannot be read any further: say why, and end the connection. */
  #fail(reason: string): void {
    this.#watchFrame(false);
    this.#socket.removeAllListeners("data");
    this.#socket.resume(); // so that the peer's end is seen
    this.#writer.replyError(null, rpcErrors.invalidRequest, `${reason} The connection is closed.`);
    endSocket(this.#socket);
    this.fireError(new Error(reason));
    this.fireClose();
  }
}

export class SocketWriter extends AbstractMessageWriter {
  readonly #socket: net.Socket;
  readonly #inFlight: InFlight;

  constructor(socket: net.Socket, inFlight: InFlight) {
    super();
    this.#socket = socket;
    this.#inFlight = inFlight;
  }

  /** Resolves when the bytes have left for the kernel, so that who awaits it does not outrun a slow reader. */
  write(message: Message): Promise<void> {
    if (
      "id" in message &&
      !("method" in message) &&
      (typeof message.id === "number" || typeof message.id === "string")
    ) {
      this.#inFlight.answered(message.id);
    }
    const body = Buffer.from(JSON.stringify(message), "utf8");
    const frame = Buffer.concat([Buffer.from(`Content-Length: ${body.length.toString()}\r\n\r\n`, "latin1"), body]);
    return new Promise((resolve) => {
      // A client that is gone is no error of ours: its connection closes, which ends what it asked for.
      if (!this.#socket.writable) resolve();
      else {
        this.#socket.write(frame, () => {
          resolve();
        });
      }
    });
  }

  replyError(id: RequestId | null, code: number, text: string, data?: object): void {
    const error = { code, message: text, ...(data ? { data } : {}) };
    const response: ResponseMessage = { jsonrpc: "2.0", id, error };
    void this.write(response); // resolves in every case
  }

  end(): void {
    endSocket(this.#socket);
  }
}

/** Milliseconds that a peer has to read what was written last and to close its side. */
const closingMs = 2000;

/** Ends the connection, also when the peer keeps its side open. */
export function endSocket(socket: net.Socket): void {
  socket.end();
  const timer = setTimeout(() => {
    socket.destroy();
  }, closingMs);
  socket.once("close", () => {
    clearTimeout(timer);
  });
}

function message({ method, params, ...rest }: Envelope & { kind: "request" | "notification" }): Message {
  const sent: RequestMessage | NotificationMessage = {
    jsonrpc: "2.0",
    ...("id" in rest ? { id: rest.id } : {}),
    method,
    ...(params ? { params } : {}),
  };
  return sent;
}
