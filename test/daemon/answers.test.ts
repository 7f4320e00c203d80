/** What an answer is, what it is computed from, and what it costs: a real socket and tokenizer, a scripted engine. */
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { question, recordOf, setUpAsking } from "./asking.ts";
import { bytesOf, textOf } from "./tiny-model.ts";

const asking = setUpAsking();

describe("an answer", () => {
  it("streams, ends with the record, and counts what it cost", async () => {
    const client = await asking.start({ tokenMs: 2, stepMs: 2 });
    const message = await client.request("longsight/ask", { ...question, workDoneToken: "w", partialResultToken: "p" });
    const record = recordOf(message);
    expect(record).toMatchObject({
      answer: "an answer",
      citations: [],
      context: { files: 20, leftOut: [], leftOutCount: 0, changedFiles: 0 },
      mode: "dense",
      stopReason: "end-token",
      model: asking.model,
    });
    const { timings, context } = record;
    expect(timings.promptTokens).toBeGreaterThan(context.tokens + question.question.length);
    expect(timings).toMatchObject({ cachedTokens: 0 });
    expect(timings.prefillMs).toBeGreaterThan(0);
    expect(timings.firstTokenMs).toBeGreaterThan(timings.prefillMs);
    expect(record.peakMemoryBytes).toBeGreaterThan(0);
    const pieces = client.progressOf("p").map(({ text }) => text);
    expect(pieces.join("")).toBe("an answer");
    expect(pieces.length).toBeGreaterThan(1);

    const work = client.progressOf("w");
    expect(work[0]).toMatchObject({ kind: "begin", cancellable: true });
    expect(work.at(-1)).toEqual({ kind: "end" });
    const percentages = work.filter(({ kind }) => kind === "report").map(({ percentage }) => Number(percentage));
    expect(percentages).toEqual([...percentages].sort((a, b) => a - b));
    expect(client.messages.at(-1)).toBe(message);
  });

  it("is computed from the packed repository and the question, and from nothing else", async () => {
    const seen: string[] = [];
    const client = await asking.start({
      answer: (context, asked) => {
        seen.push(textOf(context), textOf(asked));
        return bytesOf("x");
      },
    });
    const record = recordOf(await client.request("longsight/ask", question));
    const [context = "", asked = ""] = seen;
    expect(context.endsWith(asked)).toBe(true);
    expect(asked).toBe(question.question);
    for (const name of ["part000.ts", "part019.ts", "line 7 of part011"]) expect(context).toContain(name);
    expect(context.length).toBeLessThan(record.timings.promptTokens);
  });

  it("needs no prefill the second time, not even from another client", async () => {
    const client = await asking.start();
    const first = recordOf(await client.request("longsight/ask", question));
    const { prefilledTokens } = asking.daemon.work;
    expect(prefilledTokens).toBe(first.context.tokens);
    const other = await asking.connect();
    const second = recordOf(await other.request("longsight/ask", { ...question, question: "And part004?" }));
    expect(second.timings).toMatchObject({ cachedTokens: first.context.tokens, prefillMs: 0 });
    expect(asking.daemon.work.prefilledTokens).toBe(prefilledTokens);
  });

  it("frees the KV of its own turn", async () => {
    const client = await asking.start();
    await client.request("longsight/ask", question);
    await client.request("longsight/ask", question);
    expect(asking.daemon.work.liveStates).toBe(1);
    const { result } = await client.request("longsight/cache", { release: true });
    expect(result).toMatchObject({ heldBytes: 0 });
    expect(Number(result?.["releasedBytes"])).toBeGreaterThan(0);
    expect(asking.daemon.work.liveStates).toBe(0);
  });

  it("sees edits, new and removed files, and recomputes only what follows the first change", async () => {
    const contexts: string[] = [];
    const client = await asking.start({
      answer: (context) => {
        contexts.push(textOf(context));
        return bytesOf("x");
      },
    });
    const first = recordOf(await client.request("longsight/ask", question));
    const before = asking.daemon.work.prefilledTokens;
    writeFileSync(path.join(asking.repository, "part018.ts"), "export const edited = 1;\n");
    rmSync(path.join(asking.repository, "part019.ts"));
    writeFileSync(path.join(asking.repository, "part020.ts"), "export const added = 1;\n");
    const second = recordOf(await client.request("longsight/ask", question));
    expect(second.context).toMatchObject({ files: 20, changedFiles: 3 });
    expect(second.timings.cachedTokens).toBeGreaterThan(0.8 * first.context.tokens);
    expect(asking.daemon.work.prefilledTokens - before).toBe(second.context.tokens - second.timings.cachedTokens);
    expect(contexts[1]).toContain("edited = 1");
    expect(contexts[1]).toContain("added = 1");
    expect(contexts[1]).not.toContain("of part019");
    expect(contexts[1]).not.toContain("of part018");
    expect(asking.daemon.work.liveStates).toBe(1);
  });

  it("comes with the earlier turns of its conversation, and not with those of another", async () => {
    const asked: string[] = [];
    const client = await asking.start({
      answer: (_context, text) => {
        asked.push(textOf(text));
        return bytesOf("the first answer");
      },
    });
    const ask = (text: string, conversation: string) =>
      client.request("longsight/ask", { ...question, question: text, conversation });
    await ask("one?", "a");
    await ask("two?", "a");
    await ask("three?", "b");
    expect(asked[1]).toMatch(/one\?[^]*the first answer[^]*two\?/);
    expect(asked[2]).not.toContain("one?");
  });

  it("stops at maxTokens and says so", async () => {
    const client = await asking.start({ answer: () => bytesOf("a long answer") });
    const record = recordOf(await client.request("longsight/ask", { ...question, maxTokens: 6 }));
    expect(record).toMatchObject({ answer: "a long", stopReason: "max-tokens" });
  });

  it("waits for a slow reader with few messages rather than many", async () => {
    const client = await asking.start({ answer: () => bytesOf("y".repeat(8000)) });
    await client.request("longsight/open", question);
    client.socket.pause();
    const id = client.start("longsight/ask", { ...question, maxTokens: 8000, partialResultToken: "p" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    client.socket.resume();
    expect(recordOf(await client.response(id)).answer).toBe("y".repeat(8000));
    const pieces = client.progressOf("p").map(({ text }) => String(text));
    expect(pieces.join("")).toBe("y".repeat(8000));
    expect(pieces.length).toBeLessThan(4000);
  });
});

describe("commands", () => {
  it("answer like the requests that they mirror", async () => {
    const client = await asking.start();
    const message = await client.request("workspace/executeCommand", {
      command: "longsight.ask",
      arguments: [question],
      workDoneToken: "w",
    });
    expect(recordOf(message).answer).toBe("an answer");
    expect(client.progressOf("w").at(-1)).toEqual({ kind: "end" });
  });
});
