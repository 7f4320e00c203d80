/**
 * Editors send every file that is opened, also one of a hundred megabytes. Such a frame is no reason to lose the connection, and
 * its text is no part of any context: it passes by unread, and the document counts as closed.
 */
import { didCloseNotification } from "../protocol/documents.ts";

/** What is kept of a body to find out what it is. */
export const oversizedHeadBytes = 8192;

/**
 * Keys, in whatever order a client writes them: within a JSON string a quote has a backslash ahead. Of the messages about a document
 * only those that carry its text, `didOpen` and `didChange`, can be so large; both are notifications.
 */
const documentKey = /(?<!\\)"textDocument"\s*:\s*\{/;
const uriKey = /(?<!\\)"uri"\s*:\s*("(?:[^"\\]|\\.)*")/;
const requestKey = /(?<!\\)"id"\s*:/;

/** The body that takes its place: the same document's close. Null when it is another message. */
export function oversizedDocument(begin: Buffer): Buffer | null {
  const head = begin.toString("utf8");
  const uri = uriKey.exec(head)?.[1];
  if (uri === undefined || !documentKey.test(head) || requestKey.test(head)) return null;
  const method = didCloseNotification.method;
  return Buffer.from(`{"jsonrpc":"2.0","method":"${method}","params":{"textDocument":{"uri":${uri}}}}`);
}
