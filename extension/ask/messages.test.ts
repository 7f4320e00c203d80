import { describe, expect, it } from "vitest";
import { readMessage } from "./messages.ts";

describe("messages of the page", () => {
  it("are taken in their exact shape", () => {
    for (const message of [
      { kind: "ready" },
      { kind: "ask", question: "x" },
      { kind: "open", turn: 3, citation: 0 },
      { kind: "copy", turn: 1 },
    ]) {
      expect(readMessage(message)).toEqual(message);
    }
  });

  it("are nothing in any other", () => {
    for (const message of [
      null,
      "ready",
      {},
      { kind: "eval", code: "x" },
      { kind: "ask" },
      { kind: "ask", question: 3 },
      { kind: "open", turn: 1, citation: "/etc/passwd" },
      { kind: "open", turn: -1, citation: 0 },
      { kind: "copy", turn: 0.5 },
    ]) {
      expect(readMessage(message)).toBeNull();
    }
  });

  it("lose what does not belong to them", () => {
    expect(readMessage({ kind: "copy", turn: 1, path: "/etc/passwd" })).toEqual({ kind: "copy", turn: 1 });
  });
});
