import { describe, expect, it } from "vitest";
import type { AskRecord } from "../../daemon/protocol/ask.ts";
import { answerLine, unreadFiles, unreadText } from "./answer-line.ts";
import { conversationMarkdown } from "./conversation-markdown.ts";
import { followUps } from "./follow-ups.ts";
import { slim, type Turn } from "./turn.ts";

const record = {
  answer: "src/a.ts:12  function scanAll() {",
  citations: [{ path: "src/a.ts", line: 12, verified: false, stale: true, quote: "function scanAll() {" }],
  context: {
    files: 2,
    tokens: 1000,
    leftOut: [{ path: "b", reason: "budget", detail: "", fileCount: 1 }],
    leftOutCount: 1,
    changedFiles: 0,
    unsavedFiles: 0,
  },
  timings: { promptTokens: 1010, cachedTokens: 1000, prefillMs: 0, firstTokenMs: 212, tokensPerSecond: 61.5 },
  peakMemoryBytes: 1,
  mode: "sparse",
  prefill: {
    recall: { mean: 0.982, least: 0.951 },
    sparsity: 0.9,
    guardShare: 0,
    kv: "bf16",
    chunkTokens: 32_768,
    reduced: false,
  },
  evidence: null,
  stopReason: "end-token",
  model: "/m",
} satisfies AskRecord;

describe("the line below an answer", () => {
  it("tells first token, reuse, rate, mode and recall", () => {
    expect(answerLine(record)).toBe(
      "first token 0.2 s · 62 tokens/s · 1,000 of 1,010 tokens reused · sparse prefill, recall 98 % (least 95 %)",
    );
  });

  it("is joined by what was not read", () => {
    expect(unreadText(unreadFiles(record))).toBe(
      "1 file did not fit and had no say. Leave folders out in Context, or raise longsight.contextTokens.",
    );
    expect(unreadText(unreadFiles(slim(record)))).toBe("");
  });
});

describe("follow-ups", () => {
  it("are about the name and the file, and never what was just asked", () => {
    expect(followUps("where is `scanAll` defined?", record)).toEqual([
      "what is the signature of scanAll?",
      "what does scanAll do?",
      "what is src/a.ts about?",
    ]);
    expect(followUps("which function lists everything?", record)[0]).toBe("where is scanAll defined?");
  });

  it("are none where nothing was found", () => {
    expect(followUps("where is x defined?", { ...record, citations: [] })).toEqual([]);
  });
});

describe("the export", () => {
  it("has questions, answers, marked places and figures", () => {
    const turn: Turn = {
      id: 1,
      question: "where is scanAll?",
      state: { kind: "answered", record, unreadFiles: 0, followUps: [] },
    };
    const text = conversationMarkdown("demo", [turn]);
    expect(text).toContain("# Questions about demo\n\n## where is scanAll?");
    expect(text).toContain("- [src/a.ts:12](<src/a.ts#L12>) (not verified; the file changed since it was read)");
    expect(text).toContain("_first token 0.2 s");
  });

  it("lets no repository text out of its place", () => {
    const hostile = "```\n# owned\n<script>alert(1)</script>\n````";
    const turn: Turn = { id: 1, question: "<b>x</b> [y](command:z)\n# no", state: { kind: "stopped", text: hostile } };
    const text = conversationMarkdown("demo", [turn]);
    expect(text).toContain("`````text\n" + hostile + "\n`````");
    expect(text).toContain("## \\<b\\>x\\</b\\> \\[y\\]\\(command:z\\) \\# no");
  });
});
