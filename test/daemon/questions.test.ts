/** Questions over the real socket, with a real tokenizer and a scripted engine: sharing, cancelling, dying, limits. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AskRecord } from "../../daemon/protocol/ask.ts";
import { limits } from "../../daemon/protocol/limits.ts";
import { RawClient, type RpcMessage } from "./raw-client.ts";
import { startTestDaemon, temporaryDir, type TestDaemon, type TestDaemonOptions } from "./test-daemon.ts";
import { bytesOf, textOf, writeRepository, writeTinyModel } from "./tiny-model.ts";

let dir: string;
let model: string;
let repository: string;
let daemon: TestDaemon;
const clients: RawClient[] = [];

beforeEach(() => {
  dir = temporaryDir();
  model = writeTinyModel(path.join(dir, "model"));
  repository = writeRepository(path.join(dir, "repo"), 20, 1000);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await daemon.remove();
  rmSync(dir, { recursive: true, force: true });
});

async function start(script: TestDaemonOptions["script"] = {}, options: TestDaemonOptions = {}): Promise<RawClient> {
  const base = { maxContextTokens: 200_000, answer: () => bytesOf("an answer"), ...script };
  daemon = await startTestDaemon({ model, script: base, ...options });
  return connect();
}

async function connect(): Promise<RawClient> {
  const client = await RawClient.ready(daemon.address, repository);
  clients.push(client);
  return client;
}

const question = { question: "Where is part003?", contextTokens: 100_000 };

function recordOf(message: RpcMessage): AskRecord {
  expect(message.error).toBeUndefined();
  return message.result as unknown as AskRecord;
}

/** Resolves when the request's progress has reached this phase. */
function phase(client: RawClient, token: string, name: string): Promise<RpcMessage> {
  return client.until(({ params }) => {
    const value = params?.value as { longsight?: { phase: string; processedTokens: number } } | undefined;
    return params?.token === token && value?.longsight?.phase === name;
  });
}

describe("an answer", () => {
  it("streams, ends with the record, and counts what it cost", async () => {
    const client = await start({ tokenMs: 2, chunkMs: 2 });
    const message = await client.request("longsight/ask", { ...question, workDoneToken: "w", partialResultToken: "p" });
    const record = recordOf(message);
    expect(record).toMatchObject({
      answer: "an answer",
      citations: [],
      context: { files: 20, leftOut: [], leftOutCount: 0, changedFiles: 0 },
      mode: "dense",
      stopReason: "end-token",
      model,
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
    const client = await start({
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
    const client = await start();
    const first = recordOf(await client.request("longsight/ask", question));
    const { prefilledTokens } = daemon.work;
    expect(prefilledTokens).toBe(first.context.tokens);
    const other = await connect();
    const second = recordOf(await other.request("longsight/ask", { ...question, question: "And part004?" }));
    expect(second.timings).toMatchObject({ cachedTokens: first.context.tokens, prefillMs: 0 });
    expect(daemon.work.prefilledTokens).toBe(prefilledTokens);
  });

  it("frees the KV of its own turn", async () => {
    const client = await start();
    await client.request("longsight/ask", question);
    await client.request("longsight/ask", question);
    expect(daemon.work.liveStates).toBe(1);
    const { result } = await client.request("longsight/cache", { release: true });
    expect(result).toMatchObject({ heldBytes: 0 });
    expect(Number(result?.["releasedBytes"])).toBeGreaterThan(0);
    expect(daemon.work.liveStates).toBe(0);
  });

  it("sees edits, new and removed files, and recomputes only what follows the first change", async () => {
    const contexts: string[] = [];
    const client = await start({
      answer: (context) => {
        contexts.push(textOf(context));
        return bytesOf("x");
      },
    });
    const first = recordOf(await client.request("longsight/ask", question));
    const before = daemon.work.prefilledTokens;
    writeFileSync(path.join(repository, "part018.ts"), "export const edited = 1;\n");
    rmSync(path.join(repository, "part019.ts"));
    writeFileSync(path.join(repository, "part020.ts"), "export const added = 1;\n");
    const second = recordOf(await client.request("longsight/ask", question));
    expect(second.context).toMatchObject({ files: 20, changedFiles: 3 });
    expect(second.timings.cachedTokens).toBeGreaterThan(0.8 * first.context.tokens);
    expect(daemon.work.prefilledTokens - before).toBe(second.context.tokens - second.timings.cachedTokens);
    expect(contexts[1]).toContain("edited = 1");
    expect(contexts[1]).toContain("added = 1");
    expect(contexts[1]).not.toContain("of part019");
    expect(contexts[1]).not.toContain("of part018");
    expect(daemon.work.liveStates).toBe(1);
  });

  it("comes with the earlier turns of its conversation, and not with those of another", async () => {
    const asked: string[] = [];
    const client = await start({
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
    const client = await start({ answer: () => bytesOf("a long answer") });
    const record = recordOf(await client.request("longsight/ask", { ...question, maxTokens: 6 }));
    expect(record).toMatchObject({ answer: "a long", stopReason: "max-tokens" });
  });

  it("waits for a slow reader with few messages rather than many", async () => {
    const client = await start({ answer: () => bytesOf("y".repeat(8000)) });
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

describe("several clients", () => {
  it("share one prefill that is under way, and both see its progress", async () => {
    const client = await start({ chunkMs: 40 });
    const other = await connect();
    const first = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(client, "w", "prefilling");
    const second = other.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(other, "w", "prefilling");
    const records = [recordOf(await client.response(first)), recordOf(await other.response(second))];
    expect(daemon.work.prefilledTokens).toBe(records[0]?.context.tokens);
    expect(records.map(({ answer }) => answer)).toEqual(["an answer", "an answer"]);
  });

  it("keep a shared prefill when one of them cancels or vanishes", async () => {
    const client = await start({ chunkMs: 40 });
    const leaving = await connect();
    const vanishing = await connect();
    const first = leaving.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(leaving, "w", "prefilling");
    vanishing.start("longsight/ask", question);
    const staying = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(client, "w", "prefilling");
    leaving.cancel(first);
    vanishing.close();
    expect((await leaving.response(first)).error?.code).toBe(-32800);
    const record = recordOf(await client.response(staying));
    expect(daemon.work.prefilledTokens).toBe(record.context.tokens);
  });

  it("are told their place in the queue, and an answer goes before a prefill", async () => {
    const slow = { tokenMs: 20, answer: () => bytesOf("0123456789".repeat(3)) };
    const client = await start(slow);
    await client.request("longsight/open", question);
    const running = client.start("longsight/ask", { ...question, workDoneToken: "running" });
    await phase(client, "running", "answering");
    const elsewhere = writeRepository(path.join(dir, "other"), 2, 500);
    const prefill = client.start("longsight/open", { ...question, repository: elsewhere, workDoneToken: "prefill" });
    await phase(client, "prefill", "queued");
    const answer = client.start("longsight/ask", { ...question, workDoneToken: "answer" });
    await phase(client, "answer", "queued");
    await Promise.all([running, prefill, answer].map((id) => client.response(id)));
    const order = client.messages.map(({ id }) => id).filter((id) => [running, prefill, answer].includes(Number(id)));
    expect(order.indexOf(answer)).toBeGreaterThan(order.indexOf(running));
    expect(order.indexOf(prefill)).toBeGreaterThan(order.indexOf(running));
    const queued = client
      .progressOf("prefill")
      .map(({ longsight }) => (longsight as { queuePosition?: number } | undefined)?.queuePosition);
    expect(queued).toContain(1);
    expect(queued).toContain(2);
  });

  it("are refused with the figure when too many wait", async () => {
    const client = await start({ tokenMs: 50 });
    const ids = Array.from({ length: limits.maxQueuedRequests + 1 }, () => client.start("longsight/ask", question));
    const refused = await client.response(ids.at(-1) ?? 0);
    expect(refused.error).toMatchObject({ code: -33030, data: { code: "queue-full" } });
    expect(refused.error?.message).toContain(limits.maxQueuedRequests.toString());
    for (const id of ids.slice(0, -1)) client.cancel(id);
    const codes = await Promise.all(ids.slice(0, -1).map(async (id) => (await client.response(id)).error?.code));
    expect(new Set(codes)).toEqual(new Set([-32800]));
    expect(recordOf(await client.request("longsight/ask", question)).answer).toBe("an answer");
  });

  it("cannot have more unanswered requests than are allowed on one connection", async () => {
    const client = await start({ tokenMs: 50 });
    const ids = Array.from({ length: limits.maxRequestsInFlight + 1 }, () => client.start("longsight/ask", question));
    const refused = await client.response(ids.at(-1) ?? 0);
    expect(refused.error).toMatchObject({ data: { code: "queue-full" } });
    expect(refused.error?.message).toMatch(/This connection has 64 unanswered requests/);
  });
});

describe("cancelling", () => {
  it("works before the request has begun", async () => {
    const client = await start();
    const id = client.start("longsight/ask", question);
    client.cancel(id);
    expect((await client.response(id)).error).toMatchObject({ code: -32800 });
  });

  it("works in the middle of a prefill, and what was read stays", async () => {
    writeRepository(repository, 40, 1000);
    const client = await start({ chunkMs: 30 });
    const id = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await client.until(({ params }) => {
      const value = params?.value as { longsight?: { phase: string; processedTokens: number } } | undefined;
      return value?.longsight?.phase === "prefilling" && value.longsight.processedTokens > 10_000;
    });
    client.cancel(id);
    expect((await client.response(id)).error).toMatchObject({ code: -32800 });
    await vi.waitFor(async () => {
      expect((await client.request("longsight/status")).result).toMatchObject({ runningRequests: 0 });
    });
    const record = recordOf(await client.request("longsight/ask", question));
    expect(record.timings.cachedTokens).toBeGreaterThanOrEqual(8192);
    expect(record.timings.cachedTokens).toBeLessThan(record.context.tokens);
    expect(daemon.work.liveStates).toBe(1);
  });

  it("works in the middle of an answer, and the next one is whole", async () => {
    const client = await start({ tokenMs: 20, answer: () => bytesOf("z".repeat(50)) });
    const id = client.start("longsight/ask", { ...question, partialResultToken: "p" });
    await client.until(({ params }) => params?.token === "p");
    client.cancel(id);
    expect((await client.response(id)).error).toMatchObject({ code: -32800 });
    await vi.waitFor(() => {
      expect(daemon.work.liveStates).toBe(1);
    });
    const next = recordOf(await client.request("longsight/ask", question));
    expect(next.answer).toBe("z".repeat(50));
    expect(next.timings.prefillMs).toBe(0);
  });

  it("frees the engine when the client is simply gone", async () => {
    const client = await start({ tokenMs: 20, answer: () => bytesOf("z".repeat(500)) });
    client.start("longsight/ask", { ...question, partialResultToken: "p" });
    await client.until(({ params }) => params?.token === "p");
    client.close();
    const other = await connect();
    await vi.waitFor(async () => {
      expect((await other.request("longsight/status")).result).toMatchObject({ runningRequests: 0, connections: 1 });
    });
  });
});

describe("an engine that dies", () => {
  it.each([
    ["prefill", "prefilling"],
    ["answer", "answering"],
  ])("in the middle of a %s is told to who waits, and is back for the next question", async (_what, at) => {
    const client = await start({ chunkMs: 30, tokenMs: 30 });
    const id = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(client, "w", at);
    daemon.engine().die("SIGKILL");
    const { error } = await client.response(id);
    expect(error).toMatchObject({
      code: -33020,
      data: { code: "engine-died", next: expect.stringContaining("Ask again") as string },
    });
    const health = await client.until(
      ({ method, params }) => method === "experimental/serverStatus" && params?.["health"] === "warning",
    );
    expect(health.params?.["message"]).toContain("SIGKILL");
    expect((await client.request("longsight/status")).result).toMatchObject({
      engine: { state: "stopped", lastDeath: "SIGKILL" },
    });
    expect(recordOf(await client.request("longsight/ask", question))).toMatchObject({
      answer: "an answer",
      timings: { cachedTokens: 0 },
    });
    expect(daemon.enginesStarted()).toBe(2);
  });

  it("is told to everybody who waits", async () => {
    const client = await start({ tokenMs: 30 });
    await client.request("longsight/open", question);
    const ids = [1, 2, 3].map(() => client.start("longsight/ask", { ...question, workDoneToken: "w" }));
    await phase(client, "w", "queued");
    daemon.engine().die("gone");
    for (const id of ids) expect((await client.response(id)).error?.data?.code).toBe("engine-died");
  });
});

describe("stopping", () => {
  it("ends what runs with engine-stopped", async () => {
    const client = await start({ tokenMs: 50, answer: () => bytesOf("z".repeat(500)) });
    const id = client.start("longsight/ask", { ...question, partialResultToken: "p" });
    await client.until(({ params }) => params?.token === "p");
    const other = await connect();
    other.start("longsight/stop");
    expect((await client.response(id)).error?.data?.code).toBe("engine-stopped");
    await daemon.daemon.stopped;
  });

  it("frees the engine when idle, and starts it again for the next question", async () => {
    const client = await start({}, { idle: { freeEngineMs: 200 } });
    await client.request("longsight/ask", question);
    await vi.waitFor(
      async () => {
        expect((await client.request("longsight/status")).result).toMatchObject({ engine: { state: "stopped" } });
      },
      { timeout: 5000 },
    );
    expect(recordOf(await client.request("longsight/ask", question)).timings.cachedTokens).toBe(0);
    expect(daemon.enginesStarted()).toBe(2);
  });
});

describe("what does not fit", () => {
  it("refuses a question longer than the context before it reads anything", async () => {
    const client = await start();
    const { error } = await client.request("longsight/ask", { question: "why ".repeat(1000), contextTokens: 2048 });
    expect(error).toMatchObject({ code: -33004, data: { code: "question-too-long" } });
    expect(error?.message).toMatch(/has 4,0\d\d tokens; of a context of 2,048/);
    expect(daemon.work.prefillCalls).toBe(0);
  });

  it("leaves files out by the budget, and says which", async () => {
    const client = await start();
    const { context } = recordOf(await client.request("longsight/ask", { ...question, contextTokens: 8192 }));
    expect(context.files).toBeLessThan(20);
    expect(context.tokens).toBeLessThanOrEqual(8192);
    expect(context.leftOut.filter(({ reason }) => reason === "budget")).toHaveLength(20 - context.files);
  });

  it("refuses a context in which no file fits, and one that the model has not", async () => {
    writeRepository(path.join(dir, "big"), 1, 50_000);
    const client = await start();
    const big = { ...question, repository: path.join(dir, "big"), contextTokens: 4096 };
    expect((await client.request("longsight/ask", big)).error).toMatchObject({ data: { code: "over-budget" } });
    const { error } = await client.request("longsight/ask", { ...question, contextTokens: 300_000 });
    expect(error?.message).toContain("more than this model's 200,000");
  });

  it("refuses an empty repository", async () => {
    mkdirSync(path.join(dir, "empty"));
    const client = await start();
    const { error } = await client.request("longsight/ask", { ...question, repository: path.join(dir, "empty") });
    expect(error).toMatchObject({ code: -33002, data: { code: "empty-repository" } });
  });

  it("refuses with the figures when memory is short", async () => {
    const client = await start({ totalBytes: 10_000_000, kvBytesPerToken: 1000 });
    const { error } = await client.request("longsight/ask", question);
    expect(error).toMatchObject({ code: -33013, data: { code: "not-enough-memory" } });
    expect(error?.message).toMatch(
      /tokens needs 0\.0\d GiB \(weights .* \+ KV .* \+ workspace .*\); 0\.01 GiB are free/,
    );
  });

  it("frees what has been unused longest before it refuses", async () => {
    const client = await start({ totalBytes: 40_000_000, kvBytesPerToken: 1000 });
    const second = writeRepository(path.join(dir, "second"), 20, 1000);
    expect(recordOf(await client.request("longsight/ask", question)).context.files).toBe(20);
    expect(recordOf(await client.request("longsight/ask", { ...question, repository: second })).context.files).toBe(20);
    const { result } = await client.request("longsight/status");
    const held = (result?.["sessions"] as { repository: string; heldTokens: number }[]).filter(
      ({ heldTokens }) => heldTokens > 0,
    );
    expect(held.map((session) => session.repository)).toEqual([second]);
  });
});

describe("commands", () => {
  it("answer like the requests that they mirror", async () => {
    const client = await start();
    const message = await client.request("workspace/executeCommand", {
      command: "longsight.ask",
      arguments: [question],
      workDoneToken: "w",
    });
    expect(recordOf(message).answer).toBe("an answer");
    expect(client.progressOf("w").at(-1)).toEqual({ kind: "end" });
  });
});
