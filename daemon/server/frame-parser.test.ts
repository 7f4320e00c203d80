import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../protocol/limits.ts";
import { FrameParser, FramingError } from "./frame-parser.ts";

function frame(body: string): Buffer {
  return Buffer.from(`Content-Length: ${Buffer.byteLength(body).toString()}\r\n\r\n${body}`);
}

/** The begin of a request that goes on. */
const request = `{"jsonrpc":"2.0","id":1,"method":"longsight/ask","params":{"question":"${"x".repeat(10_000)}`;

describe("FrameParser", () => {
  it("gives the same bodies however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1 }), { minLength: 1 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map(frame));
          const places = [...new Set(cuts.map((cut) => cut % stream.length)), stream.length].sort((a, b) => a - b);
          const parser = new FrameParser();
          const got: string[] = [];
          let start = 0;
          for (const place of places) {
            got.push(...parser.push(stream.subarray(start, place)).map((body) => body.toString()));
            start = place;
          }
          expect(got).toEqual(bodies.map((body) => Buffer.from(body).toString()));
          expect(parser.inFrame).toBe(false);
        },
      ),
    );
  });

  it("accepts other headers and any case", () => {
    const parser = new FrameParser();
    const header = "content-type: application/vscode-jsonrpc; charset=utf8\r\nCONTENT-LENGTH: 2\r\n\r\n{}";
    expect(parser.push(Buffer.from(header)).map(String)).toEqual(["{}"]);
  });

  it.each([
    ["a missing length", "X: 1\r\n\r\n", /missing/],
    ["a negative length", "Content-Length: -5\r\n\r\n", /not a number of bytes: "-5"/],
    ["a length in hexadecimal", "Content-Length: 0x10\r\n\r\n", /not a number/],
    ["a fraction", "Content-Length: 1.5\r\n\r\n", /not a number/],
    ["a length that no double holds", `Content-Length: ${"9".repeat(40)}\r\n\r\n`, /not a number/],
    ["a doubled length", "Content-Length: 2\r\nContent-Length: 2\r\n\r\n", /twice/],
    ["an empty body", "Content-Length: 0\r\n\r\n", /0; a message has a body/],
    [
      "a body past the limit",
      `Content-Length: ${(limits.maxFrameBytes + 1).toString()}\r\n\r\n${request}`,
      /at most 4194304/,
    ],
    ["a huge body", `Content-Length: ${(1000 * limits.maxFrameBytes).toString()}\r\n\r\n`, /at most 4194304/],
    ["a header line without a name", "no colon here\r\n\r\n", /no name/],
    ["another charset", "Content-Length: 2\r\nContent-Type: a; charset=utf-16\r\n\r\n", /utf-16/],
    ["another protocol", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", /no name/],
    ["an endless header", "X".repeat(limits.maxHeaderBytes + 1), /longer than 1024/],
  ])("refuses %s", (_what, text, message) => {
    const parser = new FrameParser();
    expect(() => parser.push(Buffer.from(text))).toThrow(FramingError);
    expect(() => new FrameParser().push(Buffer.from(text))).toThrow(message);
  });

  it("refuses an endless header that comes byte by byte, before it has kept more than the limit", () => {
    const parser = new FrameParser();
    let sent = 0;
    expect(() => {
      for (; sent < 10 * limits.maxHeaderBytes; sent++) parser.push(Buffer.from("a"));
    }).toThrow(FramingError);
    expect(sent).toBeLessThanOrEqual(limits.maxHeaderBytes + 1);
  });

  const uri = "file:///work/a%20%22b.log";
  const text = "\u00e9".repeat(limits.maxFrameBytes);

  it.each([
    [{ jsonrpc: "2.0", method: "textDocument/didOpen", params: { textDocument: { uri, version: 1, text } } }],
    [{ params: { textDocument: { languageId: "log", uri, text } }, method: "textDocument/didOpen", jsonrpc: "2.0" }],
    [
      {
        jsonrpc: "2.0",
        method: "textDocument/didChange",
        params: { textDocument: { uri }, contentChanges: [{ text }] },
      },
    ],
  ])("lets a huge document pass by, and closes it", (message) => {
    const stream = Buffer.concat([frame(JSON.stringify(message)), frame("{}")]);
    const parser = new FrameParser();
    const got: string[] = [];
    for (let at = 0; at < stream.length; at += 60_000) {
      got.push(...parser.push(stream.subarray(at, at + 60_000)).map(String));
    }
    const closing = { jsonrpc: "2.0", method: "textDocument/didClose", params: { textDocument: { uri } } };
    expect(got.map((body) => JSON.parse(body) as unknown)).toEqual([closing, {}]);
    expect(parser.inFrame).toBe(false);
  });

  it("does not take a request for a document because its text speaks of one", () => {
    const question = `{"textDocument":{"uri":"file:///a"}} ${text}`;
    for (const message of [
      { method: "longsight/ask", params: { question } },
      { id: 1, params: { textDocument: { uri }, text } },
    ]) {
      expect(() => new FrameParser().push(frame(JSON.stringify(message)))).toThrow(/at most 4194304/);
    }
  });

  it("knows when a frame is half there", () => {
    const parser = new FrameParser();
    expect(parser.push(Buffer.from("Content-Length: 10\r\n\r\n{"))).toEqual([]);
    expect(parser.inFrame).toBe(true);
  });
});
