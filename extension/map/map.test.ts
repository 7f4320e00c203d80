import { describe, expect, it } from "vitest";
import { readMapMessage } from "./messages.ts";
import { layOut } from "./treemap.ts";

const file = (path: string, tokens: number) => ({ path, tokens, evidence: null });

describe("the treemap", () => {
  const boxes = layOut([file("src/a.ts", 600), file("src/deep/b.ts", 300), file("c.ts", 100)], 1000, 500);

  it("gives each file a place inside its folder's", () => {
    expect(boxes.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
      "file c.ts",
      "file src/a.ts",
      "file src/deep/b.ts",
      "folder src/",
      "folder src/deep/",
    ]);
    const src = boxes.find(({ path }) => path === "src/")!;
    for (const inner of boxes.filter(({ path }) => path.startsWith("src/") && path !== "src/")) {
      expect(inner.x).toBeGreaterThanOrEqual(src.x);
      expect(inner.y + inner.height).toBeLessThanOrEqual(src.y + src.height);
    }
    expect(src).toMatchObject({ tokens: 900, fileCount: 2 });
  });

  it("has areas that follow the tokens", () => {
    const area = (path: string): number => {
      const { width, height } = boxes.find((box) => box.path === path)!;
      return width * height;
    };
    expect(area("src/a.ts") / area("src/deep/b.ts")).toBeGreaterThan(1.5);
    expect(area("src/")).toBeGreaterThan(5 * area("c.ts"));
  });

  it("draws files that are too small to see as one", () => {
    const many = Array.from({ length: 500 }, (_, index) => file(`s/${index}.ts`, 1));
    const drawn = layOut([file("big.ts", 1_000_000), ...many], 400, 300);
    expect(drawn.map(({ kind, fileCount }) => `${kind} ${fileCount}`)).toEqual(["file 1", "folder 500", "rest 500"]);
  });

  it("is empty without tokens or room", () => {
    expect(layOut([], 100, 100)).toEqual([]);
    expect(layOut([file("a", 1)], 0, 100)).toEqual([]);
  });
});

describe("messages of the map's page", () => {
  it("name files by index only", () => {
    expect(readMapMessage({ kind: "open-file", index: 2, path: "/etc" })).toEqual({ kind: "open-file", index: 2 });
    for (const value of [
      { kind: "open-file", index: "2" },
      { kind: "open-file", index: -1 },
      { kind: "x", index: 1 },
      3,
    ]) {
      expect(readMapMessage(value)).toBeNull();
    }
  });
});
