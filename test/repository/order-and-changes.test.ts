import { renameSync, rmSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { changedSince, orderFiles, readSourceText, scanRepository } from "../../daemon/repository/index.ts";
import { age, commitAll, gitRepository, temporaryFolder, writeFiles } from "./temporary-folder.ts";

const order = (scan: { files: readonly { path: string }[] }): string[] => scan.files.map((file) => file.path);

test("the fresh order: commits by age, then what is edited or new, whatever the check-out's times say", async () => {
  const root = gitRepository({ "z-old.ts": "z", "b.ts": "b", "crlf.ts": "one\r\ntwo\r\n", "README.md": "r" });
  writeFiles(root, { "b.ts": "b2" });
  commitAll(root, 1_700_000_100);
  writeFiles(root, { "a-later.ts": "a" });
  commitAll(root, 1_700_000_200);
  writeFiles(root, { "z-old.ts": "touched, with the same text" });
  writeFiles(root, { "z-old.ts": "z" });
  expect(order(await scanRepository(root))).toEqual(["README.md", "crlf.ts", "z-old.ts", "b.ts", "a-later.ts"]);
  writeFiles(root, { "crlf.ts": "edited" });
  expect(order(await scanRepository(root))).toEqual(["README.md", "z-old.ts", "b.ts", "a-later.ts", "crlf.ts"]);
});

test("without history: the paths' order, what explains the repository ahead", async () => {
  const root = temporaryFolder({ "b.ts": "b", "a/z.ts": "z", "package.json": "{}", "README.md": "r", "B.ts": "B" });
  expect(order(await scanRepository(root))).toEqual(["README.md", "package.json", "B.ts", "a/z.ts", "b.ts"]);
});

test("an unsaved buffer stands in for its file, and comes last", async () => {
  const root = gitRepository({ "a.ts": "a", "b.ts": "b" });
  const saved = await scanRepository(root);
  const overlays = new Map([["a.ts", "not saved yet"]]);
  const changes = await changedSince(saved, { overlays });
  expect(changes).toMatchObject({ changed: ["a.ts"], added: [], removed: [], count: 1 });
  expect(order(changes.scan)).toEqual(["b.ts", "a.ts"]);
  expect((await readSourceText(root, "a.ts", overlays))?.hash).toBe(changes.scan.files[1]?.hash);
  expect(await changedSince(changes.scan)).toMatchObject({ changed: ["a.ts"], count: 1 });
});

test("changes: edited, added, removed, moved; an edit of equal size within the same clock tick counts", async () => {
  const root = gitRepository({ "a.ts": "aaaa", "b.ts": "b", "c.ts": "c", "d.ts": "d" });
  const before = await scanRepository(root);
  expect((await changedSince(before)).count).toBe(0);
  writeFiles(root, { "a.ts": "AAAA", "new.ts": "n" });
  rmSync(path.join(root, "b.ts"));
  renameSync(path.join(root, "c.ts"), path.join(root, "moved.ts"));
  const changes = await changedSince(before);
  expect(changes.changed).toEqual(["a.ts"]);
  expect([...changes.added].sort()).toEqual(["moved.ts", "new.ts"]);
  expect([...changes.removed].sort()).toEqual(["b.ts", "c.ts"]);
  expect(changes.count).toBe(5);
  expect((await changedSince(changes.scan)).count).toBe(0);
});

test("a touched file is no change; a file at rest is not read again", async () => {
  const root = gitRepository({ "a.ts": "a", "b.ts": "b" });
  age(root, "a.ts", "b.ts");
  const before = await scanRepository(root);
  age(root, "b.ts");
  writeFiles(root, { "b.ts": "b" });
  const { scan, count } = await changedSince(before);
  expect(count).toBe(0);
  expect(scan.memory.records.get("a.ts")).toBe(before.memory.records.get("a.ts"));
  expect(scan.memory.records.get("b.ts")).not.toBe(before.memory.records.get("b.ts"));
});

test("the order that is held stays up to the first difference", () => {
  const file = (name: string, hash = name): Parameters<typeof orderFiles>[0][number] => ({
    path: name,
    hash,
    sizeBytes: 1,
    mtimeMs: 0,
    fileClass: "source",
    changedAtSeconds: 0,
    wanted: false,
  });
  const held = ["c", "a", "b", "d"].map((name) => ({ path: name, hash: name }));
  const names = (files: { path: string }[]): string => files.map(({ path: name }) => name).join("");
  expect(names(orderFiles(["a", "b", "c", "d"].map((name) => file(name))))).toBe("abcd");
  expect(
    names(
      orderFiles(
        ["a", "b", "c", "d"].map((name) => file(name)),
        held,
      ),
    ),
  ).toBe("cabd");
  expect(names(orderFiles([file("a"), file("c"), file("d"), file("b", "edited")], held))).toBe("cadb");
  expect(names(orderFiles([file("a"), file("b"), file("d")], held))).toBe("abd");
  expect(names(orderFiles([file("a"), file("b"), file("c"), file("d"), file("e")], held))).toBe("cabde");
});
