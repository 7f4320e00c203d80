import { describe, expect, it } from "vitest";
import { choose, isFileChoice } from "./choice-lists.ts";

const none = { exclude: [], include: [] };

describe("checkboxes as lists", () => {
  it("excludes a file, and takes that back without a trace", () => {
    const out = choose(none, { path: "a/b.ts", wanted: false });
    expect(out).toEqual({ exclude: ["a/b.ts"], include: [] });
    expect(choose(out, { path: "a/b.ts", wanted: true })).toEqual(none);
  });

  it("excludes a folder, and takes that back without a trace, as it does what was excluded file by file", () => {
    const out = choose(none, { path: "a/", wanted: false });
    expect(choose(out, { path: "a/", wanted: true })).toEqual(none);
    const each = ["a/b.ts", "a/c/d.ts"].reduce((lists, path) => choose(lists, { path, wanted: false }), out);
    expect(choose(each, { path: "a/", wanted: true })).toEqual(none);
  });

  it("lets a folder's choice replace those below it", () => {
    const lists = { exclude: ["a/b.ts", "ab.ts"], include: ["a/c/"] };
    expect(choose(lists, { path: "a/", wanted: false })).toEqual({ exclude: ["a/", "ab.ts"], include: [] });
  });

  it("wants a file of an excluded folder by name", () => {
    const lists = { exclude: ["a/"], include: [] };
    expect(choose(lists, { path: "a/b.ts", wanted: true })).toEqual({ exclude: ["a/"], include: ["a/b.ts"] });
  });

  it("wants what the rules leave out by name", () => {
    expect(choose(none, { path: "dist/x.js", wanted: true })).toEqual({ exclude: [], include: ["dist/x.js"] });
    const both = choose({ exclude: [], include: ["dist/x.js"] }, { path: "dist/x.js", wanted: false });
    expect(both).toEqual({ exclude: ["dist/x.js"], include: [] });
  });

  it("trusts nothing that was kept in another shape", () => {
    expect(isFileChoice({ exclude: ["a"], include: [] })).toBe(true);
    for (const value of [null, "x", {}, { exclude: [1], include: [] }, { exclude: [] }]) {
      expect(isFileChoice(value)).toBe(false);
    }
  });
});
