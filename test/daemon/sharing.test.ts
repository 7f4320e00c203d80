/** Several clients on one engine: what they share, who waits for whom, and what cancelling frees. */
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { limits } from "../../daemon/protocol/limits.ts";
import { phase, question, recordOf, setUpAsking } from "./asking.ts";
import { bytesOf, writeRepository } from "./tiny-model.ts";

const asking = setUpAsking();

describe("several clients", () => {
  it("share one prefill that is under way, and both see its progress", async () => {
    const client = await asking.start({ stepMs: 40 });
    const other = await asking.connect();
    const first = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(client, "w", "prefilling");
    const second = other.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(other, "w", "prefilling");
    const records = [recordOf(await client.response(first)), recordOf(await other.response(second))];
    expect(asking.daemon.work.prefilledTokens).toBe(records[0]?.context.tokens);
    expect(records.map(({ answer }) => answer)).toEqual(["an answer", "an answer"]);
  });

  it("keep a shared prefill when one of them cancels or vanishes", async () => {
    const client = await asking.start({ stepMs: 40 });
    const leaving = await asking.connect();
    const vanishing = await asking.connect();
    const first = leaving.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(leaving, "w", "prefilling");
    vanishing.start("longsight/ask", question);
    const staying = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(client, "w", "prefilling");
    leaving.cancel(first);
    vanishing.close();
    expect((await leaving.response(first)).error?.code).toBe(-32800);
    const record = recordOf(await client.response(staying));
    expect(asking.daemon.work.prefilledTokens).toBe(record.context.tokens);
  });

  it("are told their place in the queue, and an answer goes before a prefill", async () => {
    const slow = { tokenMs: 20, answer: () => bytesOf("0123456789".repeat(3)) };
    const client = await asking.start(slow);
    await client.request("longsight/open", question);
    const running = client.start("longsight/ask", { ...question, workDoneToken: "running" });
    await phase(client, "running", "answering");
    const elsewhere = writeRepository(path.join(asking.dir, "other"), 2, 500);
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
    const client = await asking.start({ tokenMs: 50 });
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
    const client = await asking.start({ tokenMs: 50 });
    const ids = Array.from({ length: limits.maxRequestsInFlight + 1 }, () => client.start("longsight/ask", question));
    const refused = await client.response(ids.at(-1) ?? 0);
    expect(refused.error).toMatchObject({ data: { code: "queue-full" } });
    expect(refused.error?.message).toMatch(/This connection has 64 unanswered requests/);
  });
});

describe("cancelling", () => {
  it("works before the request has begun", async () => {
    const client = await asking.start();
    const id = client.start("longsight/ask", question);
    client.cancel(id);
    expect((await client.response(id)).error).toMatchObject({ code: -32800 });
  });

  it("works in the middle of a prefill, and what was read stays", async () => {
    writeRepository(asking.repository, 40, 2000);
    const client = await asking.start({ stepMs: 20 });
    const id = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await client.until(({ params }) => {
      const value = params?.value as { longsight?: { phase: string; processedTokens: number } } | undefined;
      return value?.longsight?.phase === "prefilling" && value.longsight.processedTokens > 34_000;
    });
    client.cancel(id);
    expect((await client.response(id)).error).toMatchObject({ code: -32800 });
    await vi.waitFor(async () => {
      expect((await client.request("longsight/status")).result).toMatchObject({ runningRequests: 0 });
    });
    const record = recordOf(await client.request("longsight/ask", question));
    expect(record.timings.cachedTokens).toBeGreaterThanOrEqual(32_768);
    expect(record.timings.cachedTokens).toBeLessThan(record.context.tokens);
    expect(asking.daemon.work.liveStates).toBe(1);
  });

  it("works in the middle of an answer, and the next one is whole", async () => {
    const client = await asking.start({ tokenMs: 20, answer: () => bytesOf("z".repeat(50)) });
    const id = client.start("longsight/ask", { ...question, partialResultToken: "p" });
    await client.until(({ params }) => params?.token === "p");
    client.cancel(id);
    expect((await client.response(id)).error).toMatchObject({ code: -32800 });
    await vi.waitFor(() => {
      expect(asking.daemon.work.liveStates).toBe(1);
    });
    const next = recordOf(await client.request("longsight/ask", question));
    expect(next.answer).toBe("z".repeat(50));
    expect(next.timings.prefillMs).toBe(0);
  });

  it("works by the token of an editor's progress bar", async () => {
    const client = await asking.start({ tokenMs: 20, answer: () => bytesOf("z".repeat(500)) });
    const id = client.start("longsight/ask", { ...question, workDoneToken: "bar", partialResultToken: "p" });
    await client.until(({ params }) => params?.token === "p");
    client.send({ jsonrpc: "2.0", method: "window/workDoneProgress/cancel", params: { token: "another" } });
    client.send({ jsonrpc: "2.0", method: "window/workDoneProgress/cancel", params: { token: "bar" } });
    expect((await client.response(id)).error).toMatchObject({ code: -32800 });
    expect(client.progressOf("bar").at(-1)).toEqual({ kind: "end" });
  });

  it("is answered at once, also while another client's prefill of other files has to end first", async () => {
    const client = await asking.start({ stepMs: 200 });
    const other = await asking.connect();
    const running = client.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(client, "w", "prefilling");
    writeRepository(asking.repository, 21, 900);
    const waiting = other.start("longsight/ask", { ...question, workDoneToken: "w" });
    await phase(other, "w", "packing");
    const cancelledAt = performance.now();
    other.cancel(waiting);
    expect((await other.response(waiting)).error).toMatchObject({ code: -32800 });
    expect(performance.now() - cancelledAt).toBeLessThan(1000);
    expect(recordOf(await client.response(running)).answer).toBe("an answer");
  });

  it("frees the engine when the client is simply gone", async () => {
    const client = await asking.start({ tokenMs: 20, answer: () => bytesOf("z".repeat(500)) });
    client.start("longsight/ask", { ...question, partialResultToken: "p" });
    await client.until(({ params }) => params?.token === "p");
    client.close();
    const other = await asking.connect();
    await vi.waitFor(async () => {
      expect((await other.request("longsight/status")).result).toMatchObject({ runningRequests: 0, connections: 1 });
    });
  });
});
