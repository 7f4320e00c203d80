import { describe, expect, it } from "vitest";
import { canInclude, shapeTree } from "./tree-shape.ts";

const file = (path: string, tokens: number) => ({ path, tokens, lines: 1, sizeBytes: 1, unsaved: false });
const out = (path: string, reason: string, fileCount = 1) => ({ path, reason, detail: "", fileCount });

describe("the context as a tree", () => {
  const tree = shapeTree(
    [file("b.ts", 5), file("src/z.ts", 20), file("src/deep/a.ts", 100), file("a.ts", 1)],
    [out("src/secret.pem", "secret"), out("vendor/", "vendored", 12)],
  );

  it("puts folders first, also those left out, each by name", () => {
    expect(tree.children.map(({ name }) => name)).toEqual(["src", "vendor", "a.ts", "b.ts"]);
  });

  it("sums tokens and files over what is below", () => {
    expect([tree.tokens, tree.files, tree.leftOut]).toEqual([126, 4, 13]);
    const src = tree.children[0]!;
    expect(src).toMatchObject({ kind: "folder", path: "src/", tokens: 120, files: 2, leftOut: 1 });
  });

  it("keeps names that are special to JavaScript", () => {
    const odd = shapeTree([file("__proto__/constructor", 3), file("__proto__/x", 4)], []);
    expect(odd.children).toHaveLength(1);
    expect(odd).toMatchObject({ tokens: 7, files: 2 });
  });

  it("offers to include only what a person may decide", () => {
    const may = ["excluded", "budget", "generated", "vendored", "secret", "binary", "link"].filter((reason) =>
      canInclude(out("x", reason)),
    );
    expect(may).toEqual(["excluded", "budget", "generated", "vendored"]);
  });
});
