import { rmSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { encodeAnchor } from "../../daemon/prompt/anchor-tokens.ts";
import {
  loadPromptModel,
  openAnswer,
  packRepository,
  type PackedRepository,
  type PromptModel,
  type ResolvedAnswer,
} from "../../daemon/prompt/index.ts";
import { scanRepository } from "../../daemon/repository/index.ts";
import { temporaryFolder, writeFiles } from "../repository/temporary-folder.ts";
import { tinyModelFolder } from "./tiny-model.ts";

const lines = (...own: string[]): string =>
  Array.from({ length: 20 }, (_, index) => own[index] ?? `line ${(index + 1).toString()}`).join("\n");
const files = {
  "src/first.ts": lines(
    "// header",
    "",
    "export function findAnchor(id: number): Anchor {",
    "  return findAnchor(id);",
    "}",
  ),
  "src/second.ts": lines("export const limit = 3;"),
};

interface Asked {
  readonly answer: ResolvedAnswer;
  readonly pieces: string[];
}

async function prepare(profile?: null): Promise<{ root: string; model: PromptModel; pack: PackedRepository }> {
  const root = temporaryFolder(files);
  const model = await loadPromptModel(tinyModelFolder(profile === null ? { profile } : {}));
  const pack = await packRepository(await scanRepository(root), model, { budgetTokens: 10_000 });
  return { root, model, pack };
}

async function read(
  { model, pack }: { model: PromptModel; pack: PackedRepository },
  question: string,
  ...parts: (string | [fileId: number, block: number])[]
): Promise<Asked> {
  const pieces: string[] = [];
  const reader = openAnswer({ model, pack, question, onText: (text) => pieces.push(text) });
  for (const part of parts) {
    if (typeof part !== "string") {
      if (model.anchors === null) throw new Error("no anchors");
      for (const id of encodeAnchor(model.anchors, { fileId: part[0], block: part[1] })) reader.push(id);
    } else if (/^<\|\w+\|>$/.test(part)) {
      reader.push(model.tokenizer.specialId(part) ?? -1);
    } else {
      for (const id of (await model.tokenizer.encodeContents([part]))[0] ?? []) reader.push(id);
    }
  }
  const answer = await reader.finish();
  expect(pieces.join("")).toBe(answer.text);
  return { answer, pieces };
}

test("an anchor and a quote become path:line and the line; verified against the file", async () => {
  const asked = await read(
    await prepare(),
    "where is findAnchor?",
    [0, 0],
    "export function findAnchor(id: number): Anchor {",
    "<|eos|>",
  );
  expect(asked.answer).toEqual({
    text: "src/first.ts:3  export function findAnchor(id: number): Anchor {",
    citations: [
      {
        path: "src/first.ts",
        line: 3,
        verified: true,
        stale: false,
        quote: "export function findAnchor(id: number): Anchor {",
      },
    ],
    absent: false,
  });
});

test("a quote that was cut off is shown whole; white space does not matter", async () => {
  const { answer } = await read(await prepare(), "where is it?", [0, 0], " export  function findAnchor(id:");
  expect(answer.text).toBe("src/first.ts:3  export function findAnchor(id: number): Anchor {");
});

test("several groups stream one by one, in order", async () => {
  const { answer, pieces } = await read(
    await prepare(),
    "q?",
    [0, 0],
    "// header",
    [1, 0],
    "export const limit = 3;",
    [0, 2],
    "line 17",
  );
  expect(answer.text.split("\n")).toEqual([
    "src/first.ts:1  // header",
    "src/second.ts:1  export const limit = 3;",
    "src/first.ts:17  line 17",
  ]);
  expect(pieces).toHaveLength(3);
});

test("a made-up quote falls back on the name that was asked for, else it is not verified", async () => {
  const prepared = await prepare();
  const named = await read(prepared, "where is `findAnchor` defined?", [0, 0], "function somethingElse()");
  expect(named.answer.citations[0]).toMatchObject({ line: 3, verified: true });
  const unnamed = await read(prepared, "where is `missing`?", [0, 1], "function missing()");
  expect(unnamed.answer.citations[0]).toMatchObject({ path: "src/first.ts", line: 9, verified: false });
  expect(unnamed.answer.text).toBe("src/first.ts:9  function missing()  (not verified)");
});

test("absent, nothing at all, and places that are not in the context", async () => {
  const prepared = await prepare();
  const absent = await read(prepared, "where is x?", "<|absent|>", "<|eos|>");
  expect(absent.answer).toMatchObject({
    absent: true,
    citations: [],
    text: expect.stringMatching(/^Not found/) as string,
  });
  const empty = await read(prepared, "where is x?", "<|eos|>");
  expect(empty.answer).toMatchObject({ absent: false, citations: [] });
  expect(empty.answer.text).not.toBe("");
  for (const place of [
    [200, 0],
    [0, 200],
  ] satisfies [number, number][]) {
    const { answer } = await read(prepared, "where is x?", place, "quote");
    expect(answer).toMatchObject({ citations: [], text: expect.stringContaining("not in the context") as string });
  }
});

test("a line that stands there does not answer for a name that its file never mentions", async () => {
  const prepared = await prepare();
  const missed = await read(
    prepared,
    "where is findAnchors defined?",
    [0, 0],
    "export function findAnchor(id: number): Anchor {",
  );
  expect(missed.answer.citations[0]).toMatchObject({ path: "src/first.ts", line: 3, verified: false });
  expect(missed.answer.text).toMatch(/\(not verified\)$/);
  const found = await read(
    prepared,
    "where is `findAnchor` defined?",
    [0, 0],
    "export function findAnchor(id: number): Anchor {",
  );
  expect(found.answer.citations[0]).toMatchObject({ line: 3, verified: true });
});

test("a file that changed since: found where the line is now, or unverified; stale in either case", async () => {
  const prepared = await prepare();
  writeFiles(prepared.root, { "src/first.ts": `// one more line\n${files["src/first.ts"]}` });
  const moved = await read(prepared, "q?", [0, 0], "export function findAnchor(id: number): Anchor {");
  expect(moved.answer.citations[0]).toMatchObject({ line: 4, verified: true, stale: true });
  expect(moved.answer.text).toContain("changed since it was read");
  rmSync(path.join(prepared.root, "src/first.ts"));
  const gone = await read(prepared, "q?", [0, 0], "export function findAnchor(id: number): Anchor {");
  expect(gone.answer.citations[0]).toMatchObject({ line: 1, verified: false, stale: true });
});

test("terminal escapes, overrides and other marks of control do not get through", async () => {
  const root = temporaryFolder({ "a.ts": "\u001b[31mred\u202e\u0007 text\n" });
  const model = await loadPromptModel(tinyModelFolder());
  const pack = await packRepository(await scanRepository(root), model, { budgetTokens: 5000 });
  const { answer } = await read(
    { model, pack },
    "q?",
    [0, 0],
    "\u001b[31mred\u202e\u0007 text",
    "<|file|>",
    "loose\u001b]0;title\u0007",
  );
  expect(answer.text).toBe("a.ts:1  [31mred text\nloose]0;title");
});

test("prose with anchors: they become path:line as it streams, and are checked by the quote before them", async () => {
  const prepared = await prepare(null);
  const { answer, pieces } = await read(
    prepared,
    "where is findAnchor?",
    "It is `export function findAnchor(id: number): Anchor {` [0:1], see [1:1-2]; [x:1] and [99:1] are none. src/second.ts:1 too. caf\u00e9 [",
  );
  expect(answer.text).toBe(
    "It is `export function findAnchor(id: number): Anchor {` src/first.ts:3, see src/second.ts:1; [x:1] and [99:1] are none. src/second.ts:1 too. caf\u00e9 [",
  );
  expect(answer.citations).toMatchObject([
    { path: "src/first.ts", line: 3, verified: true },
    { path: "src/second.ts", line: 1, verified: false },
  ]);
  expect(pieces.length).toBeGreaterThan(5);
  expect(pieces.every((piece) => !piece.includes("\ufffd"))).toBe(true);
});

test("without a quote, the asked name in the cited block is what is checked", async () => {
  const { answer } = await read(await prepare(null), "where is findAnchor defined?", "See [0:1] and [1:9].");
  expect(answer.text).toBe("See src/first.ts:3 and src/second.ts:9.");
  expect(answer.citations.map(({ verified }) => verified)).toEqual([true, false]);
});

test("text that no anchor precedes comes as it is written; a quote once its line is complete", async () => {
  const prepared = await prepare();
  const pieces: string[] = [];
  const reader = openAnswer({ ...prepared, question: "q", onText: (text) => pieces.push(text) });
  const push = async (text: string): Promise<void> => {
    for (const id of (await prepared.model.tokenizer.encodeContents([text]))[0] ?? []) reader.push(id);
  };
  await push("one two ");
  await expect.poll(() => pieces.join("")).toBe("one two");
  await push("three");
  await expect.poll(() => pieces.join("")).toBe("one two three");
  if (prepared.model.anchors === null) throw new Error("no anchors");
  for (const id of encodeAnchor(prepared.model.anchors, { fileId: 0, block: 0 })) reader.push(id);
  await push("export function findAnchor(id: number): Anchor {\n");
  const shown = "one two three\nsrc/first.ts:3  export function findAnchor(id: number): Anchor {";
  await expect.poll(() => pieces.join("")).toBe(shown);
  await push("what follows the line");
  expect((await reader.finish()).text).toBe(shown);
  rmSync(prepared.root, { recursive: true });
});
