import { describe, expect, test } from "vitest";
import type { AskRecord } from "../protocol/ask.ts";
import type { LeftOut } from "../protocol/context.ts";
import { renderCitations, renderEvidence, renderPrefill, renderReduced, renderUnread } from "./render-answer.ts";

const citation = { path: "a.ts", line: 3, verified: true, stale: false, quote: "function a() {" };

function record(citations: AskRecord["citations"], leftOut: readonly LeftOut[]): AskRecord {
  return {
    answer: "",
    citations,
    context: { files: 1, tokens: 9, leftOut, leftOutCount: leftOut.length, changedFiles: 0, unsavedFiles: 0 },
    timings: { promptTokens: 9, cachedTokens: 0, prefillMs: 1, firstTokenMs: 1, tokensPerSecond: 0 },
    peakMemoryBytes: 0,
    mode: "dense",
    prefill: {
      recall: { mean: 1, least: 1 },
      sparsity: 0,
      guardShare: 0,
      kv: "bf16",
      chunkTokens: 32_768,
      reduced: false,
    },
    stopReason: "end-token",
    model: "/m",
  };
}

describe("what stands below an answer", () => {
  test("an answer without a place names the files that the budget kept out", () => {
    const leftOut = [
      { path: "big.ts", reason: "budget", detail: "", fileCount: 1 },
      { path: "b.bin", reason: "binary", detail: "", fileCount: 1 },
    ];
    expect(renderUnread(record([], leftOut))).toMatch(/^ {2}\(1 file did not fit .*--repo DIR.*--context\)\n$/);
    expect(renderUnread(record([], leftOut.slice(1)))).toBe("");
    expect(renderUnread(record([citation], leftOut))).toBe("");
  });

  test("a sparse prefill tells what it kept; a dense one keeps all", () => {
    const recall = { mean: 0.98123, least: 0.95 };
    const dense = record([], []);
    expect(
      renderPrefill({ mode: "sparse", prefill: { ...dense.prefill, recall, sparsity: 0.912, guardShare: 0.014 } }),
    ).toBe("sparse prefill: 91.2 % skipped, recall 0.981 (least 0.950), 1.4 % added by the guard");
    expect(renderPrefill(dense)).toBe("dense prefill");
  });

  test("that memory was short, with the answer whose context it cost something, and with no other", () => {
    const whole = record([], []);
    const reduced = { ...whole, prefill: { ...whole.prefill, chunkTokens: 8192, reduced: true } };
    expect(renderReduced(whole)).toBe("");
    expect(renderReduced(reduced)).toBe(
      "[memory is short: the context was read in chunks of 8,192 tokens, which takes longer]\n",
    );
    expect(renderReduced({ ...reduced, prefill: { ...reduced.prefill, kv: "fp8" } })).toMatch(/kept in fp8, .* 8,192/);
    expect(renderReduced({ ...reduced, timings: { ...whole.timings, prefillMs: 0 } })).toBe("");
  });

  test("where the attention lay, when it was asked for; a hostile name as text", () => {
    const files = ["a.ts", "b\u001b[2J.ts", "c", "d", "e", "f"].map((path, at) => ({ path, share: 0.5 / (at + 1) }));
    const evidence = { files, blocks: [], repositoryShare: 0.834 };
    expect(renderEvidence({ ...record([], []), evidence })).toBe(
      "[attention: a.ts 50 %, b?[2J.ts 25 %, c 17 %, d 13 %, e 10 %; 83 % of it on files]\n",
    );
    expect(renderEvidence({ ...record([], []), evidence: null })).toMatch(/cannot tell/);
    expect(renderEvidence(record([], []))).toBe("");
  });

  test("places are listed once, with what was checked", () => {
    expect(renderCitations(record([citation, citation], []))).toBe("  a.ts:3  (checked)\n");
    expect(renderCitations(record([{ ...citation, verified: false, stale: true }], []))).toMatch(
      /a\.ts:3 {2}\(unverified: .*\) {2}\(the file has changed/,
    );
  });
});
