/** A client that writes bytes as it likes, for frames that no client library would send. */
import net from "node:net";

export interface RpcMessage {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: { readonly token?: unknown; readonly value?: Record<string, unknown> } & Record<string, unknown>;
  readonly result?: Record<string, unknown> | null;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: { code: string; next: string } };
}

export class RawClient {
  readonly socket: net.Socket;
  readonly messages: RpcMessage[] = [];
  readonly closed: Promise<void>;
  #buffer = Buffer.alloc(0);
  #waiters: (() => void)[] = [];
  #nextId = 1000;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#read(chunk);
    });
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        resolve();
        this.#wake();
      });
    });
  }

  static connect(address: string): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(address, () => {
        resolve(new RawClient(socket));
      });
      socket.once("error", reject);
    });
  }

  static async ready(address: string, root?: string): Promise<RawClient> {
    const client = await RawClient.connect(address);
    await client.request("initialize", { processId: null, capabilities: {}, rootUri: root ? `file://${root}` : null });
    client.send({ jsonrpc: "2.0", method: "initialized", params: {} });
    return client;
  }

  write(text: string | Buffer): void {
    this.socket.write(text);
  }

  send(message: unknown): void {
    const body = JSON.stringify(message);
    this.write(`Content-Length: ${Buffer.byteLength(body).toString()}\r\n\r\n${body}`);
  }

  /** Sends a request and gives its id. */
  start(method: string, params: object = {}): number {
    const id = this.#nextId++;
    this.send({ jsonrpc: "2.0", id, method, params });
    return id;
  }

  request(method: string, params: object = {}): Promise<RpcMessage> {
    return this.response(this.start(method, params));
  }

  cancel(id: number): void {
    this.send({ jsonrpc: "2.0", method: "$/cancelRequest", params: { id } });
  }

  response(id: number | string | null): Promise<RpcMessage> {
    return this.until((message) => message.id === id && message.method === undefined);
  }

  /** The first message that fits, whether it has come or is still to come. Rejects when the connection ends before. */
  async until(fits: (message: RpcMessage) => boolean): Promise<RpcMessage> {
    for (;;) {
      const found = this.messages.find(fits);
      if (found) return found;
      if (this.socket.destroyed) throw new Error("the connection ended without the expected message");
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  progressOf(token: string): Record<string, unknown>[] {
    return this.messages
      .filter((message) => message.method === "$/progress" && message.params?.token === token)
      .map((message) => message.params?.value ?? {});
  }

  close(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const end = this.#buffer.indexOf("\r\n\r\n");
      if (end < 0) break;
      const length = Number(/Content-Length: (\d+)/.exec(this.#buffer.toString("latin1", 0, end))?.[1]);
      if (this.#buffer.length < end + 4 + length) break;
      this.messages.push(JSON.parse(this.#buffer.toString("utf8", end + 4, end + 4 + length)) as RpcMessage);
      this.#buffer = this.#buffer.subarray(end + 4 + length);
    }
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}
