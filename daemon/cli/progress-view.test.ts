import { describe, expect, it } from "vitest";
import type { ProgressRecord } from "../protocol/progress.ts";
import { createProgressView, duration } from "./progress-view.ts";

function prefilling(processedTokens: number, more: Partial<ProgressRecord> = {}): ProgressRecord {
  return {
    phase: "prefilling",
    totalTokens: 10_000,
    cachedTokens: 0,
    processedTokens,
    elapsedMs: 1000,
    tokensPerSecond: 1234,
    etaMs: 65_000,
    ...more,
  };
}

function output(isTTY: boolean, columns = 100) {
  const text: string[] = [];
  return { isTTY, columns, write: (part: string) => text.push(part), text };
}

describe("progress", () => {
  it("is a bar with rate and remaining time on a terminal, redrawn in place and taken away", () => {
    const terminal = output(true);
    const view = createProgressView(terminal);
    view.show(prefilling(5000));
    expect(terminal.text.join("")).toBe(
      "\r\x1b[K[############............] Prefill 50 %, 5,000 of 10,000 tokens, 1,234 tokens/s, 1 min 05 s left",
    );
    view.clear();
    expect(terminal.text.at(-1)).toBe("\r\x1b[K");
    const { length } = terminal.text;
    view.clear();
    expect(terminal.text).toHaveLength(length);
  });

  it("never wraps a narrow terminal", () => {
    for (const columns of [20, 40, 60, 80]) {
      const terminal = output(true, columns);
      createProgressView(terminal).show(prefilling(5000));
      expect(terminal.text.join("").replace("\r\x1b[K", "").length).toBeLessThan(columns);
    }
  });

  it("is a plain line per phase and per tenth elsewhere", () => {
    const file = output(false);
    const view = createProgressView(file);
    view.show(prefilling(0, { phase: "scanning" }));
    for (let at = 0; at <= 10_000; at += 100) view.show(prefilling(at));
    view.show(prefilling(10_000, { phase: "answering" }));
    expect(file.text).toHaveLength(13);
    expect(file.text.join("")).not.toContain("\x1b");
    expect(file.text[1]).toBe("Prefill 0 %, 0 of 10,000 tokens, 1,234 tokens/s, 1 min 05 s left\n");
  });

  it("tells the place in the queue", () => {
    const file = output(false);
    const view = createProgressView(file);
    view.show(prefilling(0, { phase: "queued", queuePosition: 2 }));
    view.show(prefilling(0, { phase: "queued", queuePosition: 2 }));
    view.show(prefilling(0, { phase: "queued", queuePosition: 1 }));
    expect(file.text).toEqual(["Waiting for 2 other requests ...\n", "Waiting for 1 other request ...\n"]);
  });

  it("says nothing of what has not been measured", () => {
    const file = output(false);
    createProgressView(file).show(prefilling(0, { tokensPerSecond: 0, etaMs: null }));
    expect(file.text).toEqual(["Prefill 0 %, 0 of 10,000 tokens\n"]);
  });
});

describe("duration", () => {
  it.each([
    [0, "0.0 s"],
    [420, "0.4 s"],
    [12_400, "12 s"],
    [59_999, "1 min 00 s"],
    [125_000, "2 min 05 s"],
  ])("writes %d ms as %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
