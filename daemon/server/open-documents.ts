/**
 * The buffers that a client's editor holds open (LSP's document synchronisation). A notification has no answer, so what cannot
 * be applied makes the daemon forget the document, and its file on disk counts.
 */
import { fileURLToPath } from "node:url";
import type { DocumentPosition } from "../protocol/documents.ts";
import { limits } from "../protocol/limits.ts";
import { ParamsReader } from "./check-params.ts";

export class OpenDocuments {
  /** Absolute path to text. */
  readonly #texts = new Map<string, string>();

  /** A picture of this moment: a request sees one state of the buffers from its start to its end. */
  snapshot(): ReadonlyMap<string, string> {
    return new Map(this.#texts);
  }

  /** Says what was wrong when the document could not be taken. */
  open(params: unknown): string | null {
    const document = new ParamsReader(new ParamsReader(params).raw("textDocument"));
    const file = readPath(document);
    const text = document.raw("text");
    if (file === null) return null; // not a file of this machine: nothing of a repository
    this.#texts.delete(file);
    if (typeof text !== "string") return `didOpen of ${file} has no text`;
    if (text.length > limits.maxDocumentLength) return `${file} is longer than maxDocumentLength`;
    if (this.#texts.size >= limits.maxOpenDocuments) return `more than maxOpenDocuments are open; ${file} is not taken`;
    this.#texts.set(file, text);
    return null;
  }

  change(params: unknown): string | null {
    const reader = new ParamsReader(params);
    const file = readPath(new ParamsReader(reader.raw("textDocument")));
    const before = file === null ? undefined : this.#texts.get(file);
    if (file === null || before === undefined) return null;
    const changes: unknown = reader.raw("contentChanges");
    const after = Array.isArray(changes) ? applyChanges(before, changes) : null;
    if (after !== null && after.length <= limits.maxDocumentLength) {
      this.#texts.set(file, after);
      return null;
    }
    this.#texts.delete(file);
    return after === null
      ? `an edit of ${file} does not fit its text`
      : `${file} has become longer than maxDocumentLength`;
  }

  close(params: unknown): void {
    const file = readPath(new ParamsReader(new ParamsReader(params).raw("textDocument")));
    if (file !== null) this.#texts.delete(file);
  }
}

/** Null for a document that is no file on this machine. */
function readPath(document: ParamsReader): string | null {
  const uri = document.text("uri", 4096);
  if (!uri?.startsWith("file:")) return null;
  try {
    return fileURLToPath(uri);
  } catch {
    return null;
  }
}

/** Null when one of them does not fit. */
function applyChanges(before: string, changes: readonly unknown[]): string | null {
  let text = before;
  for (const change of changes) {
    const reader = new ParamsReader(change);
    const replacement = reader.raw("text");
    if (typeof replacement !== "string") return null;
    const range = reader.raw("range");
    if (range === undefined) {
      text = replacement;
      continue;
    }
    const ends = new ParamsReader(range);
    const start = offsetOf(text, readPosition(ends.raw("start")));
    const end = offsetOf(text, readPosition(ends.raw("end")));
    if (start === null || end === null || start > end) return null;
    text = text.slice(0, start) + replacement + text.slice(end);
    if (text.length > limits.maxDocumentLength) return text;
  }
  return text;
}

function readPosition(params: unknown): DocumentPosition | null {
  const reader = new ParamsReader(params);
  const line = reader.integer("line", 0, Number.MAX_SAFE_INTEGER);
  const character = reader.integer("character", 0, Number.MAX_SAFE_INTEGER);
  return line === undefined || character === undefined ? null : { line, character };
}

/** LSP: a character behind the line's end means the end. Null for a line that is not there. */
function offsetOf(text: string, position: DocumentPosition | null): number | null {
  if (position === null) return null;
  const lineEnd = /\r\n|\r|\n/g;
  let start = 0;
  for (let line = 0; line < position.line; line++) {
    if (lineEnd.exec(text) === null) return null;
    start = lineEnd.lastIndex;
  }
  const end = lineEnd.exec(text)?.index ?? text.length;
  return Math.min(start + position.character, end);
}
