import { describe, expect, test } from "vitest";
import type { AskRecord } from "../protocol/ask.ts";
import type { LeftOut } from "../protocol/context.ts";
import { renderCitations, renderUnread } from "./render-answer.ts";

const citation = { path: "a.ts", line: 3, verified: true, stale: false, quote: "function a() {" };

function record(citations: AskRecord["citations"], leftOut: readonly LeftOut[]): AskRecord {
  return {
    answer: "",
    citations,
    context: { files: 1, tokens: 9, leftOut, leftOutCount: leftOut.length, changedFiles: 0 },
    timings: { promptTokens: 9, cachedTokens: 0, prefillMs: 1, firstTokenMs: 1, tokensPerSecond: 0 },
    peakMemoryBytes: 0,
    mode: "dense",
    stopReason: "end-token",
    model: "/m",
  };
}

describe("what stands below an answer", () => {
  test("an answer without a place names the files that the budget kept out", () => {
    const leftOut = [
      { path: "big.ts", reason: "budget", detail: "" },
      { path: "b.bin", reason: "binary", detail: "" },
    ];
    expect(renderUnread(record([], leftOut))).toMatch(/^ {2}\(1 file did not fit .*--repo DIR.*--context\)\n$/);
    expect(renderUnread(record([], leftOut.slice(1)))).toBe("");
    expect(renderUnread(record([citation], leftOut))).toBe("");
  });

  test("places are listed once, with what was checked", () => {
    expect(renderCitations(record([citation, citation], []))).toBe("  a.ts:3  (checked)\n");
    expect(renderCitations(record([{ ...citation, verified: false, stale: true }], []))).toMatch(
      /a\.ts:3 {2}\(unverified: .*\) {2}\(the file has changed/,
    );
  });
});
