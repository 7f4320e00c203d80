import { describe, expect, it } from "vitest";
import { errorCatalogue } from "../../daemon/protocol/errors.ts";
import { EditorFailure, isCancellation, toUserFailure } from "./failures.ts";

describe("what a person is told", () => {
  it("is the daemon's own text, with advice in the editor's terms", () => {
    const thrown = Object.assign(new Error("It needs 9 GB; 4 GB are free."), {
      code: -33013,
      data: { code: "not-enough-memory", next: "Lower --context, or use a smaller model." },
    });
    expect(toUserFailure(thrown)).toEqual({
      message: "It needs 9 GB; 4 GB are free.",
      next: "Lower the setting longsight.contextTokens, or use a smaller model.",
      code: "not-enough-memory",
    });
  });

  it("is never told to type something into a terminal", () => {
    for (const [code, { next }] of Object.entries(errorCatalogue)) {
      const failure = toUserFailure(Object.assign(new Error("x"), { data: { code, next } }));
      expect(failure.next, code).not.toMatch(/--|`/);
    }
  });

  it("names a lost connection for what it is", () => {
    const thrown = new Error("Pending response rejected since connection got disposed");
    expect(toUserFailure(thrown)).toMatchObject({
      code: "daemon-lost",
      message: "The daemon ended before it had answered.",
    });
  });

  it("keeps the extension's own words", () => {
    expect(toUserFailure(new EditorFailure("No folder is open.", "Open one."))).toEqual({
      message: "No folder is open.",
      next: "Open one.",
      code: "editor",
    });
    expect(toUserFailure("odd")).toMatchObject({ message: "odd" });
  });

  it("tells a cancellation from a failure", () => {
    expect(isCancellation(Object.assign(new Error("x"), { code: -32800 }))).toBe(true);
    expect(isCancellation(Object.assign(new Error("x"), { name: "Canceled" }))).toBe(true);
    expect(isCancellation(new Error("x"))).toBe(false);
    expect(isCancellation(undefined)).toBe(false);
  });
});
