import { describe, expect, it } from "vitest";
import { answerParts } from "./answer-parts.ts";

const cite = (path: string, line: number) => ({ path, line, verified: true, stale: false, quote: "" });

describe("the places in an answer", () => {
  it("are what the daemon cited, and nothing else", () => {
    const answer = "src/a.ts:12  function f()\nsee etc/passwd:1 and src/a.ts:12";
    const parts = answerParts(answer, [cite("src/a.ts", 12)]);
    expect(parts).toEqual([
      { kind: "place", text: "src/a.ts:12", citation: 0 },
      { kind: "quote", text: "function f()" },
      { kind: "text", text: "see etc/passwd:1 and " },
      { kind: "place", text: "src/a.ts:12", citation: 0 },
    ]);
  });

  it("are not found inside longer ones", () => {
    const parts = answerParts("a.ts:123 data.ts:1 a.ts:1", [cite("a.ts", 1)]);
    expect(parts).toEqual([
      { kind: "text", text: "a.ts:123 data.ts:1 " },
      { kind: "place", text: "a.ts:1", citation: 0 },
    ]);
  });

  it("are followed by their lines, without the daemon's mark", () => {
    const quotes = answerParts("a.ts:1  let x; (not verified)\na.ts:1 is (not verified)", [cite("a.ts", 1)]);
    expect(quotes.map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
      "place: a.ts:1",
      "quote: let x;",
      "place: a.ts:1",
      "text:  is (not verified)",
    ]);
  });

  it("keep every character of the answer", () => {
    const answer = "<img src=x> x.ts:3 [click](command:boom) x.ts:3x y.ts:4.";
    const parts = answerParts(answer, [cite("x.ts", 3), cite("y.ts", 4)]);
    expect(parts.map(({ text }) => text).join("")).toBe(answer);
    expect(answerParts("", [])).toEqual([]);
  });
});
