/** An engine that dies, a daemon that stops, and requests that do not fit. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { phase, question, recordOf, setUpAsking } from "./asking.ts";
import { bytesOf, writeRepository, writeTinyModel } from "./tiny-model.ts";

const asking = setUpAsking();

describe("an engine that dies", () => {
  it.each([
    ["prefill", "prefilling"],
    ["answer", "answering"],
  ])("in the middle of a %s is told to who waits, and is back for the next question", async (_what, at) => {
    const client = await asking.start({ stepMs: 30, tokenMs: 30 });
    const id = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(client, "w", at);
    asking.daemon.engine().die("SIGKILL");
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
    expect(asking.daemon.enginesStarted()).toBe(2);
  });

  it("is told to everybody who waits", async () => {
    const client = await asking.start({ tokenMs: 30 });
    await client.request("longsight/open", question);
    const ids = [1, 2, 3].map(() => client.start("longsight/ask", { ...question, workDoneToken: "w" }));
    await phase(client, "w", "queued");
    asking.daemon.engine().die("gone");
    for (const id of ids) expect((await client.response(id)).error?.data?.code).toBe("engine-died");
  });
});

describe("stopping", () => {
  it("ends what runs with engine-stopped", async () => {
    const client = await asking.start({ tokenMs: 50, answer: () => bytesOf("z".repeat(500)) });
    const id = client.start("longsight/ask", { ...question, partialResultToken: "p" });
    await client.until(({ params }) => params?.token === "p");
    const other = await asking.connect();
    other.start("longsight/stop");
    expect((await client.response(id)).error?.data?.code).toBe("engine-stopped");
    await asking.daemon.daemon.stopped;
  });

  it("frees the engine when idle, and starts it again for the next question", async () => {
    const client = await asking.start({}, { idle: { freeEngineMs: 200 } });
    await client.request("longsight/ask", question);
    await vi.waitFor(
      async () => {
        expect((await client.request("longsight/status")).result).toMatchObject({ engine: { state: "stopped" } });
      },
      { timeout: 5000 },
    );
    expect(recordOf(await client.request("longsight/ask", question)).timings.cachedTokens).toBe(0);
    expect(asking.daemon.enginesStarted()).toBe(2);
  });
});

describe("what does not fit", () => {
  it("refuses a question longer than the context before it reads anything", async () => {
    const client = await asking.start();
    const { error } = await client.request("longsight/ask", { question: "why ".repeat(1000), contextTokens: 2048 });
    expect(error).toMatchObject({ code: -33004, data: { code: "question-too-long" } });
    expect(error?.message).toMatch(/has 4,0\d\d tokens; of a context of 2,048/);
    expect(asking.daemon.work.prefillCalls).toBe(0);
  });

  it("leaves files out by the budget, and says which", async () => {
    const client = await asking.start();
    const { context } = recordOf(await client.request("longsight/ask", { ...question, contextTokens: 8192 }));
    expect(context.files).toBeLessThan(20);
    expect(context.tokens).toBeLessThanOrEqual(8192);
    expect(context.leftOut.filter(({ reason }) => reason === "budget")).toHaveLength(20 - context.files);
  });

  it("refuses a context in which no file fits, and one that the model has not", async () => {
    writeRepository(path.join(asking.dir, "big"), 1, 50_000);
    const client = await asking.start();
    const big = { ...question, repository: path.join(asking.dir, "big"), contextTokens: 4096 };
    expect((await client.request("longsight/ask", big)).error).toMatchObject({ data: { code: "over-budget" } });
    const { error } = await client.request("longsight/ask", { ...question, contextTokens: 300_000 });
    expect(error?.message).toContain("more than this model's 200,000");
  });

  it("refuses an empty repository", async () => {
    mkdirSync(path.join(asking.dir, "empty"));
    const client = await asking.start();
    const { error } = await client.request("longsight/ask", {
      ...question,
      repository: path.join(asking.dir, "empty"),
    });
    expect(error).toMatchObject({ code: -33002, data: { code: "empty-repository" } });
  });

  it("refuses with the figures when memory is short", async () => {
    const client = await asking.start({ totalBytes: 10_000_000, kvBytesPerToken: 1000 });
    const { error } = await client.request("longsight/ask", question);
    expect(error).toMatchObject({ code: -33013, data: { code: "not-enough-memory" } });
    expect(error?.message).toMatch(
      /tokens needs 0\.0\d GiB \(weights .* \+ bf16 KV .* \+ workspace .*\); 0\.01 GiB are free/,
    );
  });

  it("frees what has been unused longest before it refuses", async () => {
    const client = await asking.start({ totalBytes: 40_000_000, kvBytesPerToken: 1000 });
    const second = writeRepository(path.join(asking.dir, "second"), 20, 1000);
    expect(recordOf(await client.request("longsight/ask", question)).context.files).toBe(20);
    expect(recordOf(await client.request("longsight/ask", { ...question, repository: second })).context.files).toBe(20);
    const { result } = await client.request("longsight/status");
    const held = (result?.["sessions"] as { repository: string; heldTokens: number }[]).filter(
      ({ heldTokens }) => heldTokens > 0,
    );
    expect(held.map((session) => session.repository)).toEqual([second]);
  });

  it("ends the engines of models that nobody uses before it refuses", async () => {
    const other = writeTinyModel(path.join(asking.dir, "other-model"));
    const small = { ...question, repository: writeRepository(path.join(asking.dir, "small"), 1, 100) };
    const client = await asking.start({ totalBytes: 10_000_000, kvBytesPerToken: 1000 });
    expect(recordOf(await client.request("longsight/ask", small)).context.files).toBe(1);
    await client.request("longsight/cache", { release: true });
    const big = { ...question, model: other };
    expect((await client.request("longsight/ask", big)).error?.data?.code).toBe("not-enough-memory");
    expect((await client.request("longsight/status")).result).toMatchObject({
      engine: { state: "ready", model: other },
    });
    expect(recordOf(await client.request("longsight/ask", small)).context.files).toBe(1);
    expect(asking.daemon.enginesStarted()).toBe(3);
  });
});

describe("memory that is short", () => {
  /** About 23,000 tokens in 22 MB of bf16, or 11 MB of fp8; and 100 bytes for each token of a chunk. */
  const script = { kvBytesPerToken: 1000, kvTypes: ["bf16", "fp8"], workspaceBytesPerToken: 100 } as const;

  it.each([
    ["nothing", 60_000_000, { kv: "bf16", chunkTokens: 32_768, reduced: false }],
    ["shorter chunks", 24_400_000, { kv: "bf16", chunkTokens: 8192, reduced: true }],
    ["fp8", 16_000_000, { kv: "fp8", chunkTokens: 32_768, reduced: true }],
    ["fp8 and shorter chunks", 13_000_000, { kv: "fp8", chunkTokens: 8192, reduced: true }],
  ])("costs %s", async (_what, totalBytes, way) => {
    const client = await asking.start({ ...script, totalBytes });
    const record = recordOf(await client.request("longsight/ask", question));
    expect({ tokens: record.context.tokens, ...record.prefill }).toMatchObject(way);
    const { kv, chunkTokens } = way;
    const { result } = await client.request("longsight/status");
    expect(result?.["sessions"]).toMatchObject([{ kv, chunkTokens }]);
    // The next question pays nothing, and is told the same.
    expect(recordOf(await client.request("longsight/ask", question))).toMatchObject({
      prefill: way,
      timings: { prefillMs: 0 },
    });
  });

  it("frees what nobody uses only where that makes up for it", async () => {
    const client = await asking.start({ ...script, totalBytes: 60_000_000 });
    await client.request("longsight/ask", question);
    const second = writeRepository(path.join(asking.dir, "second"), 20, 1000);
    const kept = recordOf(await client.request("longsight/ask", { ...question, repository: second }));
    expect(kept.prefill).toMatchObject({ kv: "bf16", reduced: false });
    const third = writeRepository(path.join(asking.dir, "third"), 20, 1000);
    const alone = recordOf(await client.request("longsight/ask", { ...question, repository: third }));
    expect(alone.prefill).toMatchObject({ kv: "bf16", reduced: false });
    // One had to go for it, and one alone.
    const { result } = await client.request("longsight/status");
    const sessions = result?.["sessions"] as { repository: string; heldTokens: number }[];
    expect(sessions.map(({ heldTokens }) => heldTokens > 0)).toEqual([false, true, true]);
  });

  it("leaves the others what they hold when that would not buy a better way", async () => {
    const client = await asking.start({ ...script, totalBytes: 46_000_000 });
    const small = { ...question, repository: writeRepository(path.join(asking.dir, "small"), 2, 1000) };
    await client.request("longsight/ask", small);
    // About 70,000 tokens: too many for bf16 on the whole machine.
    const large = { ...question, repository: writeRepository(path.join(asking.dir, "large"), 60, 1000) };
    const { prefill } = recordOf(await client.request("longsight/ask", large));
    expect(prefill).toMatchObject({ kv: "fp8", chunkTokens: 32_768, reduced: true });
    expect(recordOf(await client.request("longsight/ask", small)).timings.prefillMs).toBe(0);
  });
});

describe("memory that was planned for and is not there", () => {
  const script = { kvBytesPerToken: 1000, kvTypes: ["bf16", "fp8"], workspaceBytesPerToken: 1000 } as const;
  /** About 86,000 tokens: three slices. */
  const large = () => ({
    ...question,
    contextTokens: 150_000,
    repository: writeRepository(path.join(asking.dir, "large"), 80, 1000),
  });
  /** Another process takes so much once the first slice has been computed. */
  const start = (takenBytes: number) =>
    asking.start({
      ...script,
      totalBytes: 130_000_000,
      takenBytes: () => (asking.daemon.work.prefilledTokens > 0 ? takenBytes : 0),
    });

  it("shortens the chunks of what is left to compute", async () => {
    const client = await start(25_000_000);
    const { prefill, context } = recordOf(await client.request("longsight/ask", large()));
    expect(prefill).toMatchObject({ kv: "bf16", chunkTokens: 16_384, reduced: true });
    expect(asking.daemon.work.prefilledTokens).toBe(context.tokens);
  });

  it("starts anew in fp8 where bf16 cannot be gone on with", async () => {
    const client = await start(45_000_000);
    const { prefill, context, timings } = recordOf(await client.request("longsight/ask", large()));
    expect(prefill).toMatchObject({ kv: "fp8", chunkTokens: 32_768, reduced: true });
    expect(timings.cachedTokens).toBe(0);
    expect(asking.daemon.work.prefilledTokens).toBeGreaterThan(context.tokens);
    await client.request("longsight/cache", { release: true });
    expect(asking.daemon.work).toMatchObject({ liveStates: 0, liveBytes: 0 });
  });

  it("ends in a refusal when no way is left, and the next question may go through", async () => {
    let takenBytes = 129_000_000;
    const client = await asking.start({ ...script, totalBytes: 130_000_000, takenBytes: () => takenBytes });
    const { error } = await client.request("longsight/ask", question);
    expect(error).toMatchObject({ data: { code: "not-enough-memory" } });
    expect(error?.message).toContain("gave no memory for the KV cache");
    takenBytes = 0;
    expect(recordOf(await client.request("longsight/ask", question)).prefill).toMatchObject({ reduced: false });
    expect(asking.daemon.enginesStarted()).toBe(1);
  });
});
