/** What a person takes out or wants in, against everything else that decides about a file. */
import path from "node:path";
import { expect, test } from "vitest";
import { ChosenFiles, changedSince, scanRepository, type RepositoryScan } from "../../daemon/repository/index.ts";
import { gitRepository, temporaryFolder, writeFiles } from "./temporary-folder.ts";

const paths = (scan: RepositoryScan): string[] => scan.files.map((file) => file.path).sort();
const reasons = (scan: RepositoryScan): Record<string, string> =>
  Object.fromEntries(scan.leftOut.map((entry) => [entry.path, entry.reason]));

const files = {
  "a.ts": "a",
  "docs/one.md": "one",
  "docs/deep/two.md": "two",
  "package-lock.json": "{}",
  ".env": "KEY=1",
  "secretive/notes.md": "n",
  ".aiexclude": "secretive/\n",
};

test("what is taken out is left out, a folder as one entry; the longer path decides", async () => {
  const root = gitRepository(files);
  const choice = new ChosenFiles({ exclude: ["docs/", "a.ts"], include: ["docs/deep/two.md"] });
  const scan = await scanRepository(root, { choice });
  expect(paths(scan)).toEqual([".aiexclude", "docs/deep/two.md"]);
  expect(reasons(scan)).toMatchObject({ "docs/": "excluded", "a.ts": "excluded" });
  expect(scan.files.map(({ path: name, wanted }) => [name, wanted])).toContainEqual(["docs/deep/two.md", true]);
});

test("of two equal entries the one that takes out decides", async () => {
  const choice = new ChosenFiles({ exclude: ["a.ts"], include: ["a.ts/"] });
  expect(paths(await scanRepository(gitRepository(files), { choice }))).not.toContain("a.ts");
});

test("what is wanted comes in although it is generated, but never a secret or what an ignore file names", async () => {
  const root = gitRepository(files);
  const choice = new ChosenFiles({ include: ["package-lock.json", ".env", "secretive", "../outside.ts"] });
  writeFiles(path.dirname(root), { "outside.ts": "x" });
  const scan = await scanRepository(root, { choice });
  expect(paths(scan)).toEqual([".aiexclude", "a.ts", "docs/deep/two.md", "docs/one.md", "package-lock.json"]);
  expect(reasons(scan)).toEqual({ ".env": "secret", "secretive/": "excluded" });
});

test("a file of a vendored folder comes in, and its neighbours stay out", async () => {
  const root = temporaryFolder({
    "a.ts": "a",
    "node_modules/x/index.js": "x",
    "node_modules/x/other.js": "o",
    "node_modules/y/index.js": "y",
  });
  const choice = new ChosenFiles({ include: ["node_modules/x/index.js"] });
  const scan = await scanRepository(root, { choice });
  expect(paths(scan)).toEqual(["a.ts", "node_modules/x/index.js"]);
  expect(reasons(scan)).toEqual({ "node_modules/": "vendored" });
});

test("another choice is seen by a scan that reads only what moved", async () => {
  const root = gitRepository(files);
  const first = await scanRepository(root);
  const taken = await changedSince(first, { choice: new ChosenFiles({ exclude: ["docs"] }) });
  expect([...taken.removed].sort()).toEqual(["docs/deep/two.md", "docs/one.md"]);
  const wanted = await changedSince(taken.scan, { choice: new ChosenFiles({ include: ["package-lock.json"] }) });
  expect([...wanted.added].sort()).toEqual(["docs/deep/two.md", "docs/one.md", "package-lock.json"]);
});
