/** The messages of LSP's base protocol that the daemon speaks, and the JSON-RPC error numbers that it uses. */
import type { MessageDeclaration, ProgressToken } from "./message.ts";

/** client -> daemon: the handshake; first on every connection. */
export const initializeRequest = {
  method: "initialize",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export interface InitializeParams {
  readonly processId?: number | null;
  readonly clientInfo?: { readonly name: string; readonly version?: string };
  /** `file:` URI of the repository that requests without `repository` mean. */
  readonly rootUri?: string | null;
  readonly workspaceFolders?: readonly { readonly uri: string; readonly name: string }[] | null;
  readonly capabilities: object;
  /** `version`: the client's product version; another one than the daemon's is refused with `version-mismatch`. */
  readonly initializationOptions?: { readonly longsight?: { readonly version?: string } };
}

export interface InitializeResult {
  readonly capabilities: {
    readonly positionEncoding: "utf-16";
    /** `change` 2: incremental; whole texts are taken, too. */
    readonly textDocumentSync: { readonly openClose: true; readonly change: 2 };
    readonly executeCommandProvider: { readonly commands: readonly string[]; readonly workDoneProgress: true };
    readonly experimental: { readonly longsight: { readonly version: string; readonly pid: number } };
  };
  readonly serverInfo: { readonly name: "longsight"; readonly version: string };
}

/** client -> daemon: the handshake is over. */
export const initializedNotification = {
  method: "initialized",
  direction: "client-to-daemon",
  kind: "notification",
} as const satisfies MessageDeclaration;

/** client -> daemon: this connection will ask nothing more. The daemon itself lives on; see `longsight/stop`. */
export const shutdownRequest = {
  method: "shutdown",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

/** client -> daemon: close this connection. */
export const exitNotification = {
  method: "exit",
  direction: "client-to-daemon",
  kind: "notification",
} as const satisfies MessageDeclaration;

/** client -> daemon: stop working on a request; it is still answered, with `cancelled`. */
export const cancelNotification = {
  method: "$/cancelRequest",
  direction: "client-to-daemon",
  kind: "notification",
} as const satisfies MessageDeclaration;

export interface CancelParams {
  readonly id: number | string;
}

/** client -> daemon: the same, by the request's `workDoneToken`: what an editor's progress bar sends. */
export const cancelProgressNotification = {
  method: "window/workDoneProgress/cancel",
  direction: "client-to-daemon",
  kind: "notification",
} as const satisfies MessageDeclaration;

export interface CancelProgressParams {
  readonly token: ProgressToken;
}

/** daemon -> client: a step of the request that named this token as `workDoneToken` or `partialResultToken`. */
export const progressNotification = {
  method: "$/progress",
  direction: "daemon-to-client",
  kind: "notification",
} as const satisfies MessageDeclaration;

export interface ProgressParams<Value> {
  readonly token: ProgressToken;
  readonly value: Value;
}

/** client -> daemon: the same requests for clients that can only execute commands; see commands.ts. */
export const executeCommandRequest = {
  method: "workspace/executeCommand",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

/** `arguments[0]` is the params object of the request that `command` mirrors. */
export interface ExecuteCommandParams {
  readonly command: string;
  readonly arguments?: readonly unknown[];
  readonly workDoneToken?: ProgressToken;
}

/** JSON-RPC and LSP error numbers beside those of the catalogue (errors.ts). */
export const rpcErrors = {
  /** The body is not JSON, or not UTF-8. */
  parseError: -32700,
  /** JSON, but no JSON-RPC 2.0 message; or a frame past a limit. */
  invalidRequest: -32600,
  methodNotFound: -32601,
  /** A request before `initialize`. */
  serverNotInitialized: -32002,
} as const;
