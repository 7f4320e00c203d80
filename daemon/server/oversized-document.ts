/**
 * Editors send every file that is opened, also one of a hundred megabytes. Such a frame is no reason to lose the connection, and
 * its text is no part of any context: it passes by unread, and the document counts as closed.
 */
import { didChangeNotification, didCloseNotification, didOpenNotification } from "../protocol/documents.ts";

/** What is kept of a body to find out what it is: method and address come first, by every client's order of fields. */
export const oversizedHeadBytes = 8192;

const documentMethods = [didOpenNotification.method, didChangeNotification.method];
const head = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"method"\s*:\s*"([^"]+)"[^]*?"uri"\s*:\s*("(?:[^"\\]|\\.)*")/;

/** The body that takes its place: the same document's close. Null when it is another message. */
export function oversizedDocument(begin: Buffer): Buffer | null {
  const [, method, uri] = head.exec(begin.toString("utf8")) ?? [];
  if (uri === undefined || !documentMethods.some((known) => known === method)) return null;
  return Buffer.from(
    `{"jsonrpc":"2.0","method":"${didCloseNotification.method}","params":{"textDocument":{"uri":${uri}}}}`,
  );
}
