/** Summaries over a real socket, with a scripted engine that writes prose as a chat model does. */
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { SummarizeResult, SummaryPiece } from "../../daemon/protocol/summarize.ts";
import { phase, question, setUpAsking } from "./asking.ts";
import type { RawClient, RpcMessage } from "./raw-client.ts";
import type { TestDaemonOptions } from "./test-daemon.ts";
import { bytesOf, textOf } from "./tiny-model.ts";

const asking = setUpAsking();
const { contextTokens } = question;

/** What each node is asked, in order. */
let asked: string[] = [];

/** Answers with the name that it is asked about, and cites the first line of the file (of the first one, for a folder). */
const script = {
  answer: (context: Uint32Array, about: Uint32Array) => {
    const text = textOf(about);
    const name = /What is (?:the \w+ (\S+)|(this repository))/.exec(text)?.slice(1).find(Boolean) ?? "?";
    asked.push(name);
    const id = new RegExp(`=== \\[(\\d+)\\] ${name.replace(/[.+]/g, "\\$&")} ===`).exec(textOf(context))?.[1] ?? "0";
    return bytesOf(`Here is ${name}. [${id}:1]\n`);
  },
} satisfies TestDaemonOptions["script"];

function write(name: string): void {
  const file = path.join(asking.repository, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `// ${name} says this\nexport const x = 1;\n`);
}

/** Six files: two at the root, three in src/, one in src/deep/. */
async function start(options: TestDaemonOptions = {}): Promise<RawClient> {
  asked = [];
  rmSync(asking.repository, { recursive: true });
  for (const name of ["a.ts", "b.ts", "src/c.ts", "src/d.ts", "src/e.ts", "src/deep/f.ts"]) write(name);
  return asking.start(script, options);
}

async function summarize(client: RawClient, params: object = {}): Promise<SummarizeResult> {
  return resultOf(await client.request("longsight/summarize", { contextTokens, ...params }));
}

function resultOf(message: RpcMessage): SummarizeResult {
  expect(message.error).toBeUndefined();
  return message.result as unknown as SummarizeResult;
}

const everything = ["a.ts", "b.ts", "src/c.ts", "src/d.ts", "src/deep/f.ts", "src/deep/", "src/e.ts", "src/", "this"];
const paths = ({ nodes }: SummarizeResult): string[] => nodes.map((node) => node.path);

describe("longsight/summarize", () => {
  it("asks bottom-up on one prefix, streams each node, and cites what it says", async () => {
    const client = await start();
    const result = await summarize(client, { partialResultToken: "s", workDoneToken: "w" });
    expect(asked).toEqual(everything.map((name) => (name === "this" ? "this repository" : name)));
    expect(paths(result)).toEqual([
      "",
      "a.ts",
      "b.ts",
      "src/",
      "src/c.ts",
      "src/d.ts",
      "src/deep/",
      "src/deep/f.ts",
      "src/e.ts",
    ]);
    expect(result.coverage).toEqual({ summarized: 6, files: 6 });
    expect(result.nodes.find((node) => node.path === "src/")?.coverage).toEqual({ summarized: 4, files: 4 });
    const citation = { path: "src/c.ts", line: 1, stale: false };
    expect(result.nodes.find((node) => node.path === "src/c.ts")).toMatchObject({
      kind: "file",
      kept: false,
      statements: [{ text: "Here is src/c.ts.", citations: [citation] }],
    });
    expect(result.markdown).toContain("### src/c.ts\n\n- Here is src/c.ts. ([src/c.ts:1](./src/c.ts#L1)");
    expect(asking.daemon.work.prefilledTokens).toBe(result.context.tokens);
    expect(asking.daemon.work.liveStates).toBe(1);

    const pieces = client.progressOf("s") as unknown as SummaryPiece[];
    expect(pieces.map(({ node }) => node.path)).toEqual(everything.map((name) => (name === "this" ? "" : name)));
    expect(pieces.map(({ coverage }) => coverage.summarized)).toEqual([1, 2, 3, 4, 5, 5, 6, 6, 6]);
    const work = client.progressOf("w");
    expect(work.at(-1)).toEqual({ kind: "end" });
  });

  it("keeps what is finished: nothing is asked twice, an edit asks about the file and what lies above it", async () => {
    const client = await start();
    await summarize(client);
    asked = [];
    const again = await summarize(client);
    expect(asked).toEqual([]);
    expect(again.nodes.every((node) => node.kept)).toBe(true);
    appendFileSync(path.join(asking.repository, "src/d.ts"), "// edited\n");
    const edited = await summarize(client);
    expect(asked).toEqual(["src/d.ts", "src/", "this repository"]);
    expect(edited.nodes.filter((node) => !node.kept).map((node) => node.path)).toEqual(["", "src/", "src/d.ts"]);
    asked = [];
    await summarize(client, { again: true });
    expect(asked).toHaveLength(9);
  });

  it("is resumed after a cancellation, also by another daemon", async () => {
    const cacheDir = path.join(asking.dir, "cache");
    const client = await start({ cacheDir, script: { ...script, maxContextTokens: 200_000, tokenMs: 2 } });
    const id = client.start("longsight/summarize", { contextTokens, partialResultToken: "s" });
    await client.until(({ params }) => {
      const piece = params?.value as Partial<SummaryPiece> | undefined;
      return piece?.node?.path === "src/c.ts";
    });
    client.cancel(id);
    expect((await client.response(id)).error?.data?.code).toBe("cancelled");
    expect(asking.daemon.work.liveStates).toBe(1); // the prefix
    await asking.daemon.remove();

    const other = await asking.start(script, { cacheDir });
    asked = [];
    const kept = await summarize(other, { keptOnly: true });
    expect(asked).toEqual([]);
    expect(asking.daemon.enginesStarted()).toBe(0);
    expect(paths(kept)).toEqual(["a.ts", "b.ts", "src/c.ts"]);
    expect(kept.coverage).toEqual({ summarized: 3, files: 6 });
    const whole = await summarize(other);
    expect(asked.slice(0, 2)).toEqual(["src/d.ts", "src/deep/f.ts"]);
    expect(whole.coverage).toEqual({ summarized: 6, files: 6 });
  });

  it("takes a damaged file of kept summaries for an empty one", async () => {
    const cacheDir = path.join(asking.dir, "cache");
    const client = await start({ cacheDir });
    await summarize(client);
    await asking.daemon.remove();
    const file = path.join(cacheDir, "summaries.json");
    writeFileSync(file, readFileSync(file, "utf8").replace("Here is a.ts", "Here is b.ts"));
    const other = await asking.start(script, { cacheDir });
    expect(paths(await summarize(other, { keptOnly: true }))).toEqual([]);
  });

  it("can be of a folder or a file, and of nothing that is not in the context", async () => {
    const client = await start();
    expect(paths(await summarize(client, { path: "src/deep" }))).toEqual(["src/deep/", "src/deep/f.ts"]);
    expect(paths(await summarize(client, { path: "a.ts" }))).toEqual(["a.ts"]);
    for (const wrong of ["nowhere", "../x", "/etc"]) {
      const { error } = await client.request("longsight/summarize", { contextTokens, path: wrong });
      expect(error?.data?.code).toBe("invalid-argument");
    }
    const { error } = await client.request("longsight/summarize", { contextTokens, path: "a.ts", exclude: ["a.ts"] });
    expect(error?.data?.code).toBe("invalid-argument");
  });

  it("lets a question in between its own", async () => {
    const client = await start({ script: { ...script, maxContextTokens: 200_000, tokenMs: 3 } });
    const id = client.start("longsight/summarize", { contextTokens, workDoneToken: "w" });
    await phase(client, "w", "summarizing");
    const other = await asking.connect();
    expect((await other.request("longsight/ask", question)).error).toBeUndefined();
    expect(client.messages.some((message) => message.id === id)).toBe(false);
    expect(resultOf(await client.response(id)).coverage.summarized).toBe(6);
  });

  it("ends with the engine, and keeps what was finished", async () => {
    const client = await start({ script: { ...script, maxContextTokens: 200_000, tokenMs: 2 } });
    const id = client.start("longsight/summarize", { contextTokens, partialResultToken: "s" });
    await client.until(({ params }) => params?.token === "s");
    asking.daemon.engine().die("SIGSEGV");
    expect((await client.response(id)).error?.data?.code).toBe("engine-died");
    expect(paths(await summarize(client, { keptOnly: true }))).toContain("a.ts");
    expect((await summarize(client)).coverage.summarized).toBe(6);
  });
});
