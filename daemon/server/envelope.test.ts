import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../protocol/limits.ts";
import { readEnvelope } from "./envelope.ts";

function read(value: unknown) {
  return readEnvelope(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));
}

describe("readEnvelope", () => {
  it("reads requests, notifications and responses", () => {
    expect(read({ jsonrpc: "2.0", id: 1, method: "a", params: { x: 1 } })).toEqual({
      kind: "request",
      id: 1,
      method: "a",
      params: { x: 1 },
    });
    expect(read({ jsonrpc: "2.0", id: "s", method: "a", params: null })).toMatchObject({
      kind: "request",
      id: "s",
      params: undefined,
    });
    expect(read({ jsonrpc: "2.0", method: "a" })).toMatchObject({ kind: "notification", method: "a" });
    expect(read({ jsonrpc: "2.0", id: 1, result: null })).toEqual({ kind: "response" });
  });

  it.each([
    ["not JSON", "{", -32700],
    ["a batch", [], -32600],
    ["a string", '"x"', -32600],
    ["no version", { id: 1, method: "a" }, -32600],
    ["another version", { jsonrpc: "1.0", id: 1, method: "a" }, -32600],
    ["no method", { jsonrpc: "2.0", id: 1 }, -32600],
    ["a method that is no string", { jsonrpc: "2.0", id: 1, method: 5 }, -32600],
    ["an endless method", { jsonrpc: "2.0", id: 1, method: "m".repeat(1000) }, -32600],
    ["params that are a number", { jsonrpc: "2.0", id: 1, method: "a", params: 5 }, -32600],
    ["an id that is a fraction", { jsonrpc: "2.0", id: 1.5, method: "a" }, -32600],
    ["an id that is null", { jsonrpc: "2.0", id: null, method: "a" }, -32600],
    ["an id that is an object", { jsonrpc: "2.0", id: {}, method: "a" }, -32600],
  ])("refuses %s", (_what, value, code) => {
    expect(read(value)).toMatchObject({ kind: "invalid", code });
  });

  it("keeps the id of a request that is wrong otherwise, so that it can be answered", () => {
    expect(read({ jsonrpc: "2.0", id: 7, method: "" })).toMatchObject({ kind: "invalid", id: 7 });
  });

  it("refuses bytes that are not UTF-8", () => {
    expect(readEnvelope(Buffer.from([0x7b, 0xff, 0x7d]))).toMatchObject({ kind: "invalid", code: -32700 });
  });

  it("counts nesting outside strings only, and refuses what is too deep", () => {
    const nested = (depth: number) =>
      `{"jsonrpc":"2.0","id":1,"method":"a","params":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(read(nested(limits.maxNestingDepth - 1))).toMatchObject({ kind: "request" });
    expect(read(nested(limits.maxNestingDepth))).toMatchObject({ kind: "invalid", code: -32600 });
    expect(read(nested(1_000_000))).toMatchObject({ kind: "invalid" });
    expect(read({ jsonrpc: "2.0", id: 1, method: "a", params: { text: `\\"${"[".repeat(500)}` } })).toMatchObject({
      kind: "request",
    });
  });

  it("never throws, whatever the bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          expect(["request", "notification", "response", "invalid"]).toContain(readEnvelope(Buffer.from(bytes)).kind);
        },
      ),
    );
  });
});
