/** The context in detail, what a person chooses of it, and how stale it is: a real socket, files and tokenizer. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ContextChanges, ContextResult, OpenResult } from "../../daemon/protocol/context.ts";
import { question, recordOf, setUpAsking } from "./asking.ts";
import type { RawClient, RpcMessage } from "./raw-client.ts";
import { bytesOf, textOf } from "./tiny-model.ts";

const asking = setUpAsking();
const { contextTokens } = question;

function resultOf(message: RpcMessage): unknown {
  expect(message.error).toBeUndefined();
  return message.result;
}

async function describeContext(client: RawClient, params: object = {}): Promise<ContextResult> {
  return resultOf(await client.request("longsight/context", { contextTokens, ...params })) as ContextResult;
}

async function changes(client: RawClient, params: object = {}): Promise<ContextChanges> {
  return resultOf(await client.request("longsight/changes", { contextTokens, ...params })) as ContextChanges;
}

const here = (name: string): string => path.join(asking.repository, name);

describe("longsight/context", () => {
  it("lists every file with its tokens, and a budget that adds up, without an engine", async () => {
    const client = await asking.start();
    const context = await describeContext(client);
    expect(asking.daemon.enginesStarted()).toBe(0);
    expect(context.files.map((file) => file.path)).toEqual(
      Array.from({ length: 20 }, (_, at) => `part${at.toString().padStart(3, "0")}.ts`),
    );
    const [first] = context.files;
    const text = readFileSync(here("part000.ts"), "utf8");
    expect(first).toMatchObject({ lines: text.split("\n").length - 1, sizeBytes: text.length, unsaved: false });
    expect(first!.tokens).toBeGreaterThan(text.length); // one token per byte, and anchors
    const { budget } = context;
    expect(budget.contextTokens).toBe(contextTokens);
    expect(budget.reservedTokens + budget.repositoryTokens).toBe(contextTokens);
    expect(budget.usedTokens + budget.freeTokens).toBe(budget.repositoryTokens);
    const ofFiles = context.files.reduce((sum, file) => sum + file.tokens, 0);
    expect(budget.usedTokens).toBeGreaterThan(ofFiles);
    expect(budget.usedTokens - ofFiles).toBeLessThan(1000); // the template's opening
    expect(budget.heldTokens).toBe(0);
    expect(context.changes).toEqual({ held: false, files: [], count: 0 });
    expect(context).toMatchObject({ model: asking.model, leftOut: [], leftOutCount: 0 });

    // It is what the next question gets.
    const record = recordOf(await client.request("longsight/ask", question));
    expect(record.context).toMatchObject({ files: 20, tokens: budget.usedTokens });
    expect((await describeContext(client)).budget.heldTokens).toBe(budget.usedTokens);
    expect(asking.daemon.work.prefilledTokens).toBe(budget.usedTokens);
  });

  it("tells what does not fit, and what it would take", async () => {
    const client = await asking.start();
    const context = await describeContext(client, { contextTokens: 8000 });
    expect(context.files.length).toBeGreaterThan(1);
    expect(context.files.length + context.leftOutCount).toBe(20);
    for (const entry of context.leftOut) {
      expect(entry).toMatchObject({ reason: "budget", fileCount: 1 });
      expect(entry.tokens).toBeGreaterThan(1000);
    }
    expect(context.budget.usedTokens).toBeLessThanOrEqual(context.budget.repositoryTokens);
  });

  it("refuses more than the model's configuration allows, and paths that lead out", async () => {
    const client = await asking.start();
    for (const wrong of [
      { contextTokens: 16_000_000 },
      { exclude: ["../other"] },
      { include: ["/etc"] },
      { exclude: "docs" },
      { include: [""] },
    ]) {
      const { error } = await client.request("longsight/context", wrong);
      expect(error?.data?.code).toBe("invalid-argument");
    }
  });
});

describe("what a person chooses", () => {
  it("and takes back before a question has read nothing anew", async () => {
    const client = await asking.start();
    await client.request("longsight/ask", question);
    const without = await describeContext(client, { exclude: ["part003.ts"] });
    expect(without.budget.heldTokens).toBeLessThan(without.budget.usedTokens);
    const { budget, changes: stale } = await describeContext(client);
    expect(budget.heldTokens).toBe(budget.usedTokens);
    expect(stale.count).toBe(0);
  });

  it("is what the context is: of the list, of the prompt, of the record", async () => {
    const seen: string[] = [];
    const client = await asking.start({
      answer: (context) => {
        seen.push(textOf(context));
        return bytesOf("x");
      },
    });
    const exclude = ["part003.ts", "part011.ts"];
    const context = await describeContext(client, { exclude });
    expect(context.files.length).toBe(18);
    expect(context.leftOut.map(({ path: name, reason }) => [name, reason])).toEqual(
      exclude.map((name) => [name, "excluded"]),
    );
    const record = recordOf(await client.request("longsight/ask", { ...question, exclude }));
    expect(record.context).toMatchObject({ files: 18, leftOutCount: 2, tokens: context.budget.usedTokens });
    expect(seen[0]).not.toContain("line 7 of part003");
    expect(seen[0]).toContain("line 7 of part004");
    // Taken back in: the files before it keep their KV, and nothing counts as changed.
    const again = recordOf(await client.request("longsight/ask", question));
    expect(again.context).toMatchObject({ files: 20, changedFiles: 0 });
    expect(again.timings.cachedTokens).toBeGreaterThan(3000);
    expect(seen[1]).toContain("line 7 of part003");
  });

  it("comes first when the budget is short", async () => {
    const client = await asking.start();
    const small = { contextTokens: 8000 };
    const out = (await describeContext(client, small)).leftOut.map((entry) => entry.path);
    const wanted = out.at(-1)!;
    const context = await describeContext(client, { ...small, include: [wanted] });
    expect(context.files.map((file) => file.path)).toContain(wanted);
    expect(context.budget.usedTokens).toBeLessThanOrEqual(context.budget.repositoryTokens);
  });
});

describe("longsight/changes", () => {
  it("names what was edited, added and removed since the prefill, and open brings it up to date", async () => {
    const client = await asking.start();
    expect(await changes(client)).toEqual({ held: false, files: [], count: 0 });
    await client.request("longsight/open", question);
    expect(await changes(client)).toEqual({ held: true, files: [], count: 0 });
    const before = asking.daemon.work.prefilledTokens;
    appendFileSync(here("part018.ts"), "export const edited = 1;\n");
    rmSync(here("part019.ts"));
    writeFileSync(here("part020.ts"), "export const added = 1;\n");
    const files = [
      { path: "part018.ts", change: "edited" },
      { path: "part019.ts", change: "removed" },
      { path: "part020.ts", change: "added" },
    ];
    expect(await changes(client)).toEqual({ held: true, files, count: 3 });
    const context = await describeContext(client);
    expect(context.changes).toEqual({ held: true, files, count: 3 });
    expect(context.budget.heldTokens).toBeGreaterThan(0.8 * context.budget.usedTokens);
    expect(context.budget.heldTokens).toBeLessThan(context.budget.usedTokens);
    const status = await client.request("longsight/status");
    expect(status.result).toMatchObject({ sessions: [{ changedFiles: 3, files: 20 }] });
    expect(asking.daemon.work.prefilledTokens).toBe(before); // asking is free

    const opened = resultOf(await client.request("longsight/open", question)) as OpenResult;
    expect(opened.context.changedFiles).toBe(3);
    expect(opened.cachedTokens).toBe(context.budget.heldTokens);
    expect(asking.daemon.work.prefilledTokens - before).toBe(context.budget.usedTokens - opened.cachedTokens);
    expect(await changes(client)).toEqual({ held: true, files: [], count: 0 });
  });

  it("does not count what a person has taken out since, nor files that did not fit", async () => {
    const client = await asking.start();
    const small = { contextTokens: 8000 };
    await client.request("longsight/open", { ...question, ...small });
    const context = await describeContext(client, small);
    const [inside] = context.files;
    const outside = context.leftOut.at(-1)!;
    expect(await changes(client, { ...small, exclude: [inside!.path] })).toMatchObject({ count: 0 });
    appendFileSync(here(outside.path), "// edited\n");
    expect(await changes(client, small)).toMatchObject({ count: 0 });
    appendFileSync(here(inside!.path), "// edited\n");
    expect(await changes(client, small)).toMatchObject({ files: [{ path: inside!.path, change: "edited" }] });
  });

  it("may be asked all the time: it makes no session and keeps no engine", async () => {
    const client = await asking.start({}, { idle: { freeEngineMs: 300 } });
    expect(await changes(client)).toMatchObject({ held: false });
    expect((await client.request("longsight/status")).result).toMatchObject({ sessions: [] });
    await client.request("longsight/open", question);
    let state: unknown;
    do {
      await changes(client);
      await new Promise((resolve) => setTimeout(resolve, 20));
      const { result } = await client.request("longsight/status");
      state = (result as { engine: { state: string } } | undefined)?.engine.state;
    } while (state === "ready");
    expect(state).toBe("stopped");
  });

  it("forgets with the KV", async () => {
    const client = await asking.start();
    await client.request("longsight/open", question);
    appendFileSync(here("part018.ts"), "// edited\n");
    await client.request("longsight/cache", { release: true });
    expect(await changes(client)).toEqual({ held: false, files: [], count: 0 });
  });
});

describe("an editor's unsaved buffer", () => {
  const uri = (): string => `file://${here("part019.ts")}`;
  const open = (client: RawClient, text: string): void => {
    client.send({
      jsonrpc: "2.0",
      method: "textDocument/didOpen",
      params: { textDocument: { uri: uri(), languageId: "typescript", version: 1, text } },
    });
  };

  it("is what the next question sees, from this client alone, until it is closed", async () => {
    const seen: string[] = [];
    const client = await asking.start({
      answer: (context) => {
        seen.push(textOf(context));
        return bytesOf("part019.ts:1");
      },
    });
    const saved = readFileSync(here("part019.ts"), "utf8");
    const first = recordOf(await client.request("longsight/ask", question));
    open(client, saved);
    // Open is not edited: nothing is read or computed anew.
    const same = recordOf(await client.request("longsight/ask", question));
    expect(same.timings).toMatchObject({ cachedTokens: first.context.tokens, prefillMs: 0 });
    expect(same.context).toMatchObject({ unsavedFiles: 0, changedFiles: 0 });

    const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
    client.send({
      jsonrpc: "2.0",
      method: "textDocument/didChange",
      params: { textDocument: { uri: uri(), version: 2 }, contentChanges: [{ range, text: "// unsaved words\n" }] },
    });
    expect(await changes(client)).toMatchObject({ files: [{ path: "part019.ts", change: "edited" }] });
    const edited = recordOf(await client.request("longsight/ask", question));
    expect(seen.at(-1)).toContain("// unsaved words\nexport function part019");
    expect(edited.context).toMatchObject({ unsavedFiles: 1, changedFiles: 1 });
    expect(edited.citations).toMatchObject([{ path: "part019.ts", line: 1, stale: false }]);
    expect(edited.timings.cachedTokens).toBeGreaterThan(0.8 * edited.context.tokens);
    const context = await describeContext(client);
    expect(context.files.filter(({ unsaved }) => unsaved).map((file) => file.path)).toEqual(["part019.ts"]);

    const other = await asking.connect();
    recordOf(await other.request("longsight/ask", question));
    expect(seen.at(-1)).not.toContain("unsaved words");

    client.send({ jsonrpc: "2.0", method: "textDocument/didClose", params: { textDocument: { uri: uri() } } });
    const closed = recordOf(await client.request("longsight/ask", question));
    expect(seen.at(-1)).not.toContain("unsaved words");
    expect(closed.context).toMatchObject({ unsavedFiles: 0 });
  });

  it("that makes no sense is forgotten, and the connection lives on", async () => {
    const client = await asking.start();
    open(client, "one line");
    for (const params of [undefined, [], { textDocument: 7 }, { textDocument: { uri: uri() }, contentChanges: [{}] }]) {
      client.send({ jsonrpc: "2.0", method: "textDocument/didChange", params });
    }
    const record = recordOf(await client.request("longsight/ask", question));
    expect(record.context.unsavedFiles).toBe(0);
  });

  it("may hold a secret as little as a file may", async () => {
    const client = await asking.start();
    open(client, `export const id = "${["AKIA", "Q3EGXKMN5TLZ7PWD"].join("")}";\n`);
    const context = await describeContext(client);
    expect(context.leftOut).toMatchObject([{ path: "part019.ts", reason: "secret" }]);
  });
});
