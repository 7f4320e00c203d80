import { describe, expect, it } from "vitest";
import type { ProgressRecord } from "../daemon/protocol/progress.ts";
import { bytes, count, duration, percent, plural, progressShare, progressText, shortCount } from "./figures.ts";

const record: ProgressRecord = {
  phase: "prefilling",
  totalTokens: 31_204,
  cachedTokens: 0,
  processedTokens: 12_000,
  elapsedMs: 2600,
  tokensPerSecond: 4500.4,
  etaMs: 4267,
};

describe("figures", () => {
  it("are rounded and carry their unit", () => {
    expect([count(31_204.4), shortCount(999), shortCount(31_204), shortCount(123_456), shortCount(1_000_000)]).toEqual([
      "31,204",
      "999",
      "31.2K",
      "123K",
      "1.0M",
    ]);
    expect([duration(212), duration(9949), duration(12_400), duration(200_000)]).toEqual([
      "0.2 s",
      "9.9 s",
      "12 s",
      "3 min 20 s",
    ]);
    expect([bytes(412_000_000), bytes(2_340_000_000), percent(0.4567), plural(1, "file"), plural(3, "file")]).toEqual([
      "412 MB",
      "2.3 GB",
      "45.7 %",
      "1 file",
      "3 files",
    ]);
  });
});

describe("progress", () => {
  it("has phase, tokens, rate and what is left", () => {
    expect(progressText(record)).toBe("Reading: 12,000 of 31,204 tokens, 4,500 tokens/s, 4.3 s left");
    expect(progressText({ ...record, tokensPerSecond: 0, etaMs: null })).toBe("Reading: 12,000 of 31,204 tokens");
    expect(progressText({ ...record, phase: "queued", queuePosition: 2 })).toBe("Waiting: 2 requests before this one");
  });

  it("is a share only while something is measured", () => {
    expect(progressShare(record)).toBeCloseTo(0.3846, 3);
    expect(progressShare({ ...record, phase: "loading" })).toBeNull();
    expect(progressShare({ ...record, totalTokens: 0 })).toBeNull();
  });
});
