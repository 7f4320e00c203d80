/** LSP's framing, read without trust: headers and body lengths are checked before anything is kept. */
import { limits } from "../protocol/limits.ts";
import { oversizedDocument, oversizedHeadBytes } from "./oversized-document.ts";

/** The stream cannot be read any further: where the next frame begins is not known. */
export class FramingError extends Error {}

const headerEnd = Buffer.from("\r\n\r\n");

/** Feed it bytes; it gives complete bodies. Throws FramingError, after which it must not be used. */
export class FrameParser {
  /** Bytes of an unfinished header block. */
  #header = Buffer.alloc(0);
  /** Length of the body that is being read; null between bodies. */
  #bodyLength: number | null = null;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  /** The body that is being read is too large to be kept, and passes by. */
  #skipping = false;

  /** True when a frame has begun and is not complete. */
  get inFrame(): boolean {
    return this.#bodyLength !== null || this.#header.length > 0;
  }

  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    let rest: Buffer = chunk;
    while (rest.length > 0) {
      rest = this.#bodyLength === null ? this.#readHeader(rest) : this.#readBody(rest, this.#bodyLength, frames);
    }
    return frames;
  }

  #readHeader(chunk: Buffer): Buffer {
    const before = this.#header.length;
    const block = Buffer.concat([this.#header, chunk.subarray(0, limits.maxHeaderBytes + headerEnd.length)]);
    const end = block.indexOf(headerEnd);
    if (end > limits.maxHeaderBytes || (end < 0 && block.length > limits.maxHeaderBytes)) {
      throw new FramingError(`The header is longer than ${limits.maxHeaderBytes.toString()} bytes.`);
    }
    if (end < 0) {
      this.#header = block;
      return chunk.subarray(chunk.length);
    }
    this.#header = Buffer.alloc(0);
    this.#bodyLength = contentLength(block.toString("latin1", 0, end));
    this.#skipping = false;
    return chunk.subarray(end + headerEnd.length - before);
  }

  #readBody(chunk: Buffer, length: number, frames: Buffer[]): Buffer {
    const part = chunk.subarray(0, length - this.#bodyBytes);
    if (!this.#skipping) this.#body.push(part);
    this.#bodyBytes += part.length;
    if (length > limits.maxFrameBytes && !this.#skipping && this.#bodyBytes >= oversizedHeadBytes) {
      const closing = oversizedDocument(Buffer.concat(this.#body));
      if (closing === null) throw tooLarge(length);
      this.#skipping = true;
      this.#body = [closing];
    }
    if (this.#bodyBytes === length) {
      frames.push(Buffer.concat(this.#body));
      this.#body = [];
      this.#bodyBytes = 0;
      this.#bodyLength = null;
    }
    return chunk.subarray(part.length);
  }
}

function contentLength(header: string): number {
  let length: number | null = null;
  for (const line of header.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new FramingError(`A header line has no name: ${JSON.stringify(line.slice(0, 80))}.`);
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "content-type") {
      const charset = /charset\s*=\s*"?([\w-]+)/i.exec(value)?.[1]?.toLowerCase();
      if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") {
        throw new FramingError(`The charset ${JSON.stringify(charset)} is not supported; frames are UTF-8.`);
      }
    }
    if (name !== "content-length") continue;
    if (length !== null) throw new FramingError("Content-Length is given twice.");
    if (!/^\d{1,15}$/.test(value)) {
      throw new FramingError(`Content-Length is not a number of bytes: ${JSON.stringify(value.slice(0, 40))}.`);
    }
    length = Number(value);
  }
  if (length === null) throw new FramingError("Content-Length is missing.");
  if (length === 0) throw new FramingError("Content-Length is 0; a message has a body.");
  if (length > maxSkippedBytes) throw tooLarge(length);
  return length;
}

/** No editor opens a file of that size: whoever sends it is no editor. */
const maxSkippedBytes = 64 * limits.maxFrameBytes;

function tooLarge(length: number): FramingError {
  return new FramingError(
    `The frame has ${length.toString()} bytes; at most ${limits.maxFrameBytes.toString()} are accepted.`,
  );
}
