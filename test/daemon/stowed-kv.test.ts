/** A GPU that is full: the KV that nobody uses goes to the machine's memory, and comes back when it is asked for. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { question, recordOf, setUpAsking } from "./asking.ts";
import type { RawClient } from "./raw-client.ts";
import { writeRepository } from "./tiny-model.ts";

const asking = setUpAsking();
/** About 23,000 tokens in 22 MB: the device has room for one repository, with a question and its answer. */
const script = { kvBytesPerToken: 1000, deviceBytes: 30_000_000, totalBytes: 30_000_000 } as const;

function repository(name: string) {
  return { ...question, repository: writeRepository(path.join(asking.dir, name), 20, 1000) };
}

async function sessions(client: RawClient) {
  const { result } = await client.request("longsight/status");
  const all = result?.["sessions"] as { repository: string; heldTokens: number; stowed: boolean }[];
  return all.map((session) => [path.basename(session.repository), session.heldTokens > 0, session.stowed]);
}

describe("KV on a full device", () => {
  it("moves to the machine's memory and back, and nothing is computed again", async () => {
    const client = await asking.start(script, { hostKvBytes: 100_000_000 });
    const [first, second] = [repository("first"), repository("second")];
    await client.request("longsight/ask", first);
    await client.request("longsight/ask", second);
    expect(await sessions(client)).toEqual([
      ["first", true, true],
      ["second", true, false],
    ]);
    const { work } = asking.daemon;
    expect(work.stowedBytes).toBeGreaterThan(20_000_000);
    expect((await client.request("longsight/status")).result).toMatchObject({
      engine: { kvBytes: work.liveBytes, hostKvBytes: work.stowedBytes },
    });
    const { prefilledTokens } = work;
    const again = recordOf(await client.request("longsight/ask", first));
    expect(again).toMatchObject({ answer: "an answer", timings: { prefillMs: 0 } });
    expect(again.timings.cachedTokens).toBe(again.context.tokens);
    expect(work.prefilledTokens).toBe(prefilledTokens);
    expect(await sessions(client)).toEqual([
      ["first", true, false],
      ["second", true, true],
    ]);
    await client.request("longsight/cache", { release: true });
    expect(work).toMatchObject({ liveStates: 0, liveBytes: 0, stowedBytes: 0 });
  });

  it("makes room for the newest there, too, at the cost of what has been there longest", async () => {
    const client = await asking.start(script, { hostKvBytes: 30_000_000 });
    for (const name of ["first", "second", "third"]) await client.request("longsight/ask", repository(name));
    expect(await sessions(client)).toEqual([
      ["first", false, false],
      ["second", true, true],
      ["third", true, false],
    ]);
    expect(asking.daemon.log.join("\n")).toMatch(/moved 2\d MiB[^]*dropped 2\d MiB of KV: the machine gave no memory/);
  });

  it.each([
    ["where the machine may hold none", { hostKvBytes: 0 }, script],
    ["where the device's memory is the machine's", { hostKvBytes: 1e9 }, { ...script, deviceBytes: 0 }],
  ])("is dropped %s", async (_where, options, limits) => {
    const client = await asking.start(limits, options);
    for (const name of ["first", "second"]) await client.request("longsight/ask", repository(name));
    expect(await sessions(client)).toEqual([
      ["first", false, false],
      ["second", true, false],
    ]);
    expect(asking.daemon.work.stowedBytes).toBe(0);
  });

  it("is computed anew when it cannot come back", async () => {
    let takenBytes = 0;
    const client = await asking.start(
      { ...script, kvTypes: ["bf16", "fp8"], takenBytes: () => takenBytes },
      { hostKvBytes: 100_000_000 },
    );
    const first = repository("first");
    await client.request("longsight/ask", first);
    await client.request("longsight/ask", repository("second"));
    takenBytes = 10_000_000;
    const again = recordOf(await client.request("longsight/ask", first));
    expect(again.prefill).toMatchObject({ kv: "fp8", reduced: true });
    expect(again.timings.cachedTokens).toBe(0);
  });

  it("is waited for while an answer reads it, and does not come in the way of what has no room in any case", async () => {
    const client = await asking.start({ ...script, tokenMs: 40 }, { hostKvBytes: 100_000_000 });
    const [first, second] = [repository("first"), repository("second")];
    await client.request("longsight/ask", first);
    const answering = client.start("longsight/ask", first);
    await expect.poll(async () => (await client.request("longsight/status")).result?.["runningRequests"]).toBe(1);
    const waiting = client.start("longsight/ask", second);
    const larger = { ...question, repository: writeRepository(path.join(asking.dir, "larger"), 40, 1000) };
    const refused = await client.request("longsight/ask", larger);
    expect(refused.error).toMatchObject({ data: { code: "not-enough-memory" } });
    for (const id of [answering, waiting]) expect(recordOf(await client.response(id)).answer).toBe("an answer");
    expect(await sessions(client)).toEqual([
      ["first", true, true],
      ["second", true, false],
      ["larger", false, false],
    ]);
  });

  it("is there for who asks while it is on its way", async () => {
    const client = await asking.start({ ...script, stepMs: 50 }, { hostKvBytes: 100_000_000 });
    const [first, second] = [repository("first"), repository("second")];
    await client.request("longsight/ask", first);
    const ids = [second, first, second].map((params) => client.start("longsight/ask", params));
    for (const id of ids) expect(recordOf(await client.response(id)).answer).toBe("an answer");
    await client.request("longsight/cache", { release: true });
    expect(asking.daemon.work).toMatchObject({ liveStates: 0, liveBytes: 0, stowedBytes: 0 });
  });
});
