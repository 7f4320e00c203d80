import { describe, expect, it } from "vitest";
import { limits } from "../protocol/limits.ts";
import { OpenDocuments } from "./open-documents.ts";

const uri = "file:///work/a%20b.ts";
const file = "/work/a b.ts";

function opened(text: string): OpenDocuments {
  const documents = new OpenDocuments();
  expect(documents.open({ textDocument: { uri, languageId: "typescript", version: 1, text } })).toBeNull();
  return documents;
}

function edit(documents: OpenDocuments, ...contentChanges: object[]): string | null {
  return documents.change({ textDocument: { uri, version: 2 }, contentChanges });
}

function range(startLine: number, start: number, endLine: number, end: number): object {
  return { start: { line: startLine, character: start }, end: { line: endLine, character: end } };
}

describe("open documents", () => {
  it("follow edits in order, over any kind of line end", () => {
    const documents = opened("one\r\ntwo\nthree\rfour");
    const changes = [
      { range: range(1, 0, 1, 3), text: "TWO" },
      { range: range(3, 4, 3, 4), text: "!" },
      { range: range(0, 3, 1, 0), text: " " },
    ];
    expect(edit(documents, ...changes)).toBeNull();
    expect(documents.snapshot().get(file)).toBe("one TWO\nthree\rfour!");
  });

  it("count characters as UTF-16 units, and take one behind the line's end as the end", () => {
    const documents = opened("\u{1F600}x\nlast");
    expect(edit(documents, { range: range(0, 2, 0, 99), text: "y" })).toBeNull();
    expect(documents.snapshot().get(file)).toBe("\u{1F600}y\nlast");
  });

  it("take a whole text, and are gone when closed", () => {
    const documents = opened("old");
    const before = documents.snapshot();
    expect(edit(documents, { text: "new" })).toBeNull();
    expect(documents.snapshot().get(file)).toBe("new");
    expect(before.get(file)).toBe("old");
    documents.close({ textDocument: { uri } });
    expect(documents.snapshot().size).toBe(0);
  });

  it.each([
    ["a line that is not there", { range: range(2, 0, 2, 0), text: "x" }],
    ["an end before the start", { range: range(0, 2, 0, 1), text: "x" }],
    ["a range without numbers", { range: { start: {}, end: {} }, text: "x" }],
    ["no text", { range: range(0, 0, 0, 0) }],
  ])("are forgotten at an edit with %s", (_what, change) => {
    const documents = opened("one\ntwo");
    expect(edit(documents, change)).toContain(file);
    expect(documents.snapshot().size).toBe(0);
    expect(edit(documents, { text: "whole" })).toBeNull(); // until they are opened again
    expect(documents.snapshot().size).toBe(0);
  });

  it("keep to the limits, and to files of this machine", () => {
    const documents = opened("x");
    expect(documents.open({ textDocument: { uri: "untitled:Untitled-1", text: "x" } })).toBeNull();
    expect(documents.open({ textDocument: { uri: "file://elsewhere/share/a.ts", text: "x" } })).toBeNull();
    expect(documents.snapshot().size).toBe(1);
    const long = "x".repeat(limits.maxDocumentLength);
    expect(edit(documents, { text: `${long}y` })).toContain("maxDocumentLength");
    expect(documents.snapshot().size).toBe(0);
    for (let at = 0; at < limits.maxOpenDocuments; at++) {
      documents.open({ textDocument: { uri: `file:///work/${at.toString()}.ts`, text: "x" } });
    }
    expect(documents.open({ textDocument: { uri, text: "x" } })).toContain("maxOpenDocuments");
    expect(documents.snapshot().size).toBe(limits.maxOpenDocuments);
  });
});
