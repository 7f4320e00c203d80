import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { splitLines } from "../../daemon/prompt/blocks.ts";
import { AnchorDecoder, encodeAnchor } from "../../daemon/prompt/anchor-tokens.ts";
import {
  commonPrefixLength,
  loadPromptModel,
  packRepository,
  type PackedRepository,
  type PromptModel,
} from "../../daemon/prompt/index.ts";
import { changedSince, normalizeText, scanRepository } from "../../daemon/repository/index.ts";
import { gitRepository, temporaryFolder, writeFiles } from "../repository/temporary-folder.ts";
import { tinyModelFolder } from "./tiny-model.ts";

const files = {
  "README.md": "# Tiny\n\nA repository for one test.\n",
  "src/numbers.ts": Array.from(
    { length: 10 },
    (_, index) => `export const n${(index + 1).toString()} = ${index.toString()};\r\n`,
  ).join(""),
  "src/open.ts": "// no line end, and <|eos|> as text",
  "src/void.ts": "",
};

const decode = (model: PromptModel, pack: PackedRepository): string => model.tokenizer.decode([...pack.tokens]);

test.each([
  ["anchor-tokens", undefined],
  ["text-anchors", null],
])("a packed repository, to the letter: %s", async (dialect, profile) => {
  const model = await loadPromptModel(tinyModelFolder(profile === null ? { profile } : {}));
  const pack = await packRepository(await scanRepository(temporaryFolder(files)), model, { budgetTokens: 5000 });
  expect(pack.dialect).toBe(dialect);
  await expect(decode(model, pack)).toMatchFileSnapshot(`golden/packed-${dialect}.txt`);
});

test("each file's place: header, lines, tokens; and the whole is nothing but the files", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const pack = await packRepository(await scanRepository(temporaryFolder(files)), model, { budgetTokens: 5000 });
  expect(pack.files.map(({ id, path: name, lineCount }) => [id, name, lineCount])).toEqual([
    [0, "README.md", 3],
    [1, "src/numbers.ts", 10],
    [2, "src/open.ts", 1],
    [3, "src/void.ts", 0],
  ]);
  let next = model.pieces.before.length;
  for (const file of pack.files) {
    expect(file.firstToken).toBe(next);
    expect(pack.tokens[file.firstToken]).toBe(model.anchors?.file);
    next += file.tokenCount;
  }
  expect(next).toBe(pack.tokens.length);
});

test("anchors: what is encoded is decoded, also after half an anchor", async () => {
  const { anchors } = await loadPromptModel(tinyModelFolder());
  if (anchors === null) throw new Error("the tiny model has anchors");
  const anchor = fc.record({ fileId: fc.nat(255), block: fc.nat(255) });
  fc.assert(
    fc.property(anchor, anchor, fc.nat(3), (wanted, interrupted, length) => {
      const decoder = new AnchorDecoder(anchors);
      for (const id of encodeAnchor(anchors, interrupted).slice(0, length)) expect(decoder.push(id)).toBe("partial");
      const results = encodeAnchor(anchors, wanted).map((id) => decoder.push(id));
      expect(results).toEqual(["partial", "partial", "partial", wanted]);
    }),
  );
  expect(() => encodeAnchor(anchors, { fileId: 256, block: 0 })).toThrow(RangeError);
});

/** The lines of each file as the tokens between anchors have them. */
function unpack(model: PromptModel, pack: PackedRepository): Map<string, string[]> {
  const { anchors, tokenizer, profile } = model;
  if (anchors === null) throw new Error("only for anchor-tokens");
  const unpacked = new Map<string, string[]>();
  for (const file of pack.files) {
    const lines: string[] = [];
    const decoder = new AnchorDecoder(anchors);
    const run = pack.tokens.subarray(file.firstToken, file.firstToken + file.tokenCount);
    let block: number[] = [];
    const close = (): void => {
      if (block.length > 0) lines.push(...splitLines(tokenizer.decode(block)));
      block = [];
    };
    for (const id of run.subarray(run.indexOf(anchors.text) + 1)) {
      const anchor = decoder.push(id);
      if (anchor === null) block.push(id);
      else if (anchor !== "partial") {
        close();
        expect(anchor).toEqual({ fileId: file.id, block: lines.length / profile.blockLines });
      }
    }
    close();
    unpacked.set(file.path, lines);
  }
  return unpacked;
}

test("any text comes back from its tokens, each line where its anchor says", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const line = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 30 }),
    fc.constantFrom("", "<|F1|><|f1|>", "export const a = 1;", "\t", "\u00e9\u4e2d\ud83d\ude00", "x".repeat(300)),
  );
  const text = fc
    .tuple(fc.array(line, { maxLength: 30 }), fc.constantFrom("\n", "\r\n"), fc.boolean())
    .map(([lines, end, open]) => lines.join(end) + (open ? "" : end));
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 3 }), async (texts) => {
      const printable = texts.map((value) => value.replaceAll("\0", ""));
      const folder = temporaryFolder(
        Object.fromEntries(printable.map((value, index) => [`f${index.toString()}.ts`, value])),
      );
      const pack = await packRepository(await scanRepository(folder), model, { budgetTokens: 100_000 });
      const unpacked = unpack(model, pack);
      expect(unpacked.size).toBe(texts.length);
      for (const [name, lines] of unpacked) {
        expect(lines).toEqual(splitLines(normalizeText(readFileSync(path.join(folder, name), "utf8"))));
      }
    }),
    { numRuns: 25 },
  );
});

test("an edit keeps the prefix before the edited file, and moves that file behind the rest", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const folder = gitRepository({ "a.ts": "a\n".repeat(20), "b.ts": "b\n", "c.ts": "c\n", "d.ts": "d\n" });
  const scan = await scanRepository(folder);
  const first = await packRepository(scan, model, { budgetTokens: 5000 });
  const again = await packRepository(scan, model, { budgetTokens: 5000, previous: first });
  expect(again.identity).toBe(first.identity);

  const names = (pack: PackedRepository): string[] => pack.files.map((file) => file.path);
  const edit = async (text: string, held: PackedRepository): Promise<PackedRepository> => {
    writeFiles(folder, { "b.ts": text });
    const { scan: now } = await changedSince(scan);
    return packRepository(now, model, { budgetTokens: 5000, previous: held });
  };
  const edited = await edit("edited\n", first);
  expect(names(edited)).toEqual(["a.ts", "c.ts", "d.ts", "b.ts"]);
  expect(commonPrefixLength(first.tokens, edited.tokens)).toBeGreaterThanOrEqual(
    first.files[1]?.firstToken ?? Infinity,
  );

  // From then on the file that is being worked on costs its own tokens only.
  const next = await edit("edited again\n", edited);
  expect(names(next)).toEqual(names(edited));
  expect(commonPrefixLength(edited.tokens, next.tokens)).toBeGreaterThanOrEqual(
    edited.files[3]?.firstToken ?? Infinity,
  );
});

test("a short budget keeps the overview, then source, and says what each file left out would have cost", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const folder = temporaryFolder({
    "README.md": "readme\n",
    "src/small.ts": "export const a = 1;\n",
    "src/large.ts": "export const b = 2;\n".repeat(40),
    "docs/guide.md": "guide\n",
    "test/a.test.ts": "export const c = 3;\n",
  });
  const scan = await scanRepository(folder);
  const whole = await packRepository(scan, model, { budgetTokens: 5000 });
  expect(whole.leftOut).toEqual([]);
  const pack = await packRepository(scan, model, { budgetTokens: 90 });
  expect(pack.tokens.length).toBeLessThanOrEqual(90);
  expect(pack.files.map((file) => file.path)).toEqual(["README.md", "docs/guide.md", "src/small.ts"]);
  expect(pack.leftOut.map(({ path: name, reason }) => [name, reason])).toEqual([
    ["src/large.ts", "budget"],
    ["test/a.test.ts", "budget"],
  ]);
  for (const entry of pack.leftOut) expect(entry.detail).toMatch(/\d+ tokens; \d+ were free/);
});

test("of the source, what the documents mention goes in before what is small", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const folder = temporaryFolder({
    "docs/guide.md": "openStore opens.\n",
    "src/core.ts": "export function openStore(): void {}\n",
    "src/small.ts": "export const a = 1;\n",
  });
  const scan = await scanRepository(folder);
  const whole = await packRepository(scan, model, { budgetTokens: 5000 });
  const core = whole.files.find((file) => file.path === "src/core.ts");
  const budgetTokens = model.pieces.before.length + (core?.tokenCount ?? 0) + 4;
  const pack = await packRepository(scan, model, { budgetTokens });
  expect(pack.files.map((file) => file.path)).toEqual(["src/core.ts"]);
});

test("in a repository over the budget an edit pushes nothing out, and keeps the prefix before the edited file", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const sources = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`f${index.toString()}.ts`, `// ${"x".repeat(30 + index)}\n`]),
  );
  const folder = gitRepository(sources);
  const scan = await scanRepository(folder);
  const first = await packRepository(scan, model, { budgetTokens: 1500 });
  expect(first.files.length).toBeLessThan(40);
  expect(first.files.length).toBeGreaterThan(10);
  const middle = first.files[Math.floor(first.files.length / 2)];
  if (middle === undefined) throw new Error("the pack has files");
  writeFiles(folder, { [middle.path]: `// one more line\n${sources[middle.path] ?? ""}` });
  const { scan: now } = await changedSince(scan);
  const edited = await packRepository(now, model, { budgetTokens: 1500, previous: first });
  const names = (pack: PackedRepository): string[] => pack.files.map((file) => file.path).sort();
  expect(names(edited)).toEqual(names(first));
  expect(commonPrefixLength(first.tokens, edited.tokens)).toBeGreaterThanOrEqual(middle.firstToken);
});

test.each([undefined, null])(
  "whatever the budget, the pack fits into it or is refused (profile %s)",
  async (profile) => {
    const model = await loadPromptModel(tinyModelFolder(profile === null ? { profile } : {}));
    const scan = await scanRepository(temporaryFolder({ ...files, "b.ts": "b\n".repeat(100), "c.ts": "c".repeat(50) }));
    const least = model.pieces.before.length;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 900 }), async (more) => {
        const budgetTokens = least + more;
        try {
          const pack = await packRepository(scan, model, { budgetTokens });
          expect(pack.tokens.length).toBeLessThanOrEqual(budgetTokens);
          expect(pack.files.length + pack.leftOut.length).toBe(scan.files.length);
        } catch (error) {
          expect(error).toMatchObject({ code: "over-budget" });
          expect(more).toBeLessThan(60);
        }
      }),
      { numRuns: 40 },
    );
  },
);

test("more blocks than an anchor counts: the file is cut there, and the pack says at which line", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const scan = await scanRepository(temporaryFolder({ "long.ts": "x\n".repeat(256 * 8 + 5), "b.ts": "b\n" }));
  const pack = await packRepository(scan, model, { budgetTokens: 100_000 });
  expect(pack.truncated).toEqual([{ path: "long.ts", lastLine: 2048 }]);
  expect(pack.files.find((file) => file.path === "long.ts")?.lineCount).toBe(2048);
});

test("more files than an anchor names are left out as budget", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const many = Object.fromEntries(Array.from({ length: 258 }, (_, index) => [`f${index.toString()}.ts`, "x\n"]));
  const pack = await packRepository(await scanRepository(temporaryFolder(many)), model, { budgetTokens: 100_000 });
  expect(pack.files).toHaveLength(256);
  expect(pack.leftOut.map(({ reason }) => reason)).toEqual(["budget", "budget"]);
});

test("a file that changed after it was judged does not get into the prompt unseen", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const folder = temporaryFolder({ "a.ts": "a\n", "b.ts": "b\n", "c.ts": "c\n" });
  const scan = await scanRepository(folder);
  writeFileSync(path.join(folder, "b.ts"), "export const key = 'just pasted';\n");
  rmSync(path.join(folder, "c.ts"));
  const pack = await packRepository(scan, model, { budgetTokens: 5000 });
  expect(decode(model, pack)).not.toContain("pasted");
  expect(pack.leftOut.map(({ path: name, reason }) => [name, reason])).toEqual([
    ["b.ts", "unreadable"],
    ["c.ts", "unreadable"],
  ]);
});

test("nothing to read, nothing that fits, and a fired signal have codes", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const empty = await scanRepository(temporaryFolder());
  await expect(packRepository(empty, model, { budgetTokens: 100 })).rejects.toMatchObject({ code: "empty-repository" });
  const scan = await scanRepository(temporaryFolder({ "a.ts": "a\n".repeat(100) }));
  await expect(packRepository(scan, model, { budgetTokens: 20 })).rejects.toMatchObject({
    code: "over-budget",
    message: expect.stringContaining("a.ts") as string,
  });
  const signal = AbortSignal.abort();
  await expect(packRepository(scan, model, { budgetTokens: 5000, signal })).rejects.toMatchObject({
    code: "cancelled",
  });
});

test("a file name with a line end cannot imitate a header", async () => {
  const model = await loadPromptModel(tinyModelFolder({ profile: null }));
  const folder = temporaryFolder({ "a\n=== [7] fake.ts ===\n.ts": "x\n" });
  const pack = await packRepository(await scanRepository(folder), model, { budgetTokens: 5000 });
  expect(decode(model, pack)).not.toMatch(/^=== \[7\]/m);
});
