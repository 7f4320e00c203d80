/**
 * LSP's document synchronisation: unsaved buffers stand in for the files on disk, for the requests of the connection that
 * opened them. Only `file:` documents count. A change that cannot be applied, and a document past a limit, is forgotten: the
 * file on disk is then read as it is.
 */
import type { MessageDeclaration } from "./message.ts";

/** client -> daemon: the editor holds this document; its text is the one that counts. */
export const didOpenNotification = {
  method: "textDocument/didOpen",
  direction: "client-to-daemon",
  kind: "notification",
} as const satisfies MessageDeclaration;

export interface DidOpenParams {
  readonly textDocument: {
    readonly uri: string;
    readonly languageId?: string;
    readonly version?: number;
    readonly text: string;
  };
}

/** client -> daemon: edits, in order; one without a range is the whole new text. Characters are UTF-16 units. */
export const didChangeNotification = {
  method: "textDocument/didChange",
  direction: "client-to-daemon",
  kind: "notification",
} as const satisfies MessageDeclaration;

export interface DidChangeParams {
  readonly textDocument: { readonly uri: string; readonly version?: number | null };
  readonly contentChanges: readonly { readonly range?: DocumentRange; readonly text: string }[];
}

/** From 0; `end` is exclusive. */
export interface DocumentRange {
  readonly start: DocumentPosition;
  readonly end: DocumentPosition;
}

export interface DocumentPosition {
  readonly line: number;
  readonly character: number;
}

/** client -> daemon: the file on disk counts again. */
export const didCloseNotification = {
  method: "textDocument/didClose",
  direction: "client-to-daemon",
  kind: "notification",
} as const satisfies MessageDeclaration;

export interface DidCloseParams {
  readonly textDocument: { readonly uri: string };
}
