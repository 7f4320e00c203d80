import fc from "fast-check";
import { expect, test } from "vitest";
import { askedNames, codeNames, holdsName } from "./asked-names.ts";
import { locateQuote } from "./locate-quote.ts";
import { toPlainText } from "./plain-text.ts";

const lines = [
  "import x",
  "",
  "export const total = 1;",
  "  return total;",
  "}",
  "}",
  "end",
  "far away",
  "export const total = 1;",
];
const block = { first: 1, last: 8 };

test("the quoted line, in the cited lines before any other", () => {
  expect(locateQuote(lines, block, "export const total = 1;", [])).toEqual({ line: 3, verified: true });
  expect(locateQuote(lines, { first: 9, last: 16 }, "export const total = 1;", [])).toEqual({
    line: 9,
    verified: true,
  });
  expect(locateQuote(lines, block, "export const to", [])).toEqual({ line: 3, verified: true });
});

test("a short quote is looked for in the cited lines only, and not as a part of one", () => {
  expect(locateQuote(lines, block, "}", [])).toEqual({ line: 5, verified: true });
  expect(locateQuote(lines, { first: 1, last: 4 }, "end", [])).toEqual({ line: 1, verified: false });
  expect(locateQuote(lines, block, "tot", [])).toEqual({ line: 1, verified: false });
});

test("among equal lines the one with the asked name", () => {
  const twice = ["call(a)", "call(b)", "call(c)"];
  expect(locateQuote(twice, { first: 1, last: 3 }, "call(", ["b"])).toEqual({ line: 2, verified: true });
  expect(locateQuote(["const call = (a)", "const call = (b)"], { first: 1, last: 2 }, "const call", ["b"]).line).toBe(
    2,
  );
});

test("without the quote, the asked name in the cited lines; lines beyond the file are no place", () => {
  expect(locateQuote(lines, block, "", ["total"])).toEqual({ line: 3, verified: true });
  expect(locateQuote(lines, { first: 8, last: 8 }, "", ["total"])).toEqual({ line: 8, verified: false });
  expect(locateQuote(lines, { first: 900, last: 907 }, "", ["total"])).toEqual({ line: 900, verified: false });
});

test("what is verified stands on the line that is named", () => {
  const word = fc.constantFrom("alpha", "beta", "gamma", "const alphabet", "  delta ", "");
  fc.assert(
    fc.property(fc.array(word, { maxLength: 20 }), fc.nat(24), word, word, (text, first, quote, name) => {
      const { line, verified } = locateQuote(text, { first, last: first + 7 }, quote, name === "" ? [] : [name.trim()]);
      expect(line).toBeGreaterThanOrEqual(1);
      const found = text[line - 1] ?? "";
      const holds =
        (quote.trim() !== "" && found.includes(quote.trim())) || (name !== "" && holdsName(found, name.trim()));
      expect(verified && !holds).toBe(false);
    }),
  );
});

test.each([
  ["where is scanRepository defined?", ["scanRepository"]],
  ["What does `Session.open` do?", ["open"]],
  ["where is the function open defined?", ["open"]],
  ["what is MAX_SIZE for", ["MAX_SIZE"]],
  ['quote "retry"', ["retry"]],
  ["what is this file for?", []],
])("names in %j", (question, names) => {
  expect(askedNames(question)).toEqual(names);
});

test.each([
  ["where is Linter defined?", ["Linter"]],
  ["where is the function open declared, and what is it for?", ["open"]],
  ["where is the parser defined?", []],
  ["where is it implemented?", []],
  ["how does the Linter report errors?", []],
  ["how does `Linter` differ from SourceCode?", ["Linter"]],
])("names spelled as code, or asked the definition of, in %j", (question, names) => {
  expect(codeNames(question)).toEqual(names);
});

test("a name is a whole word", () => {
  expect(holdsName("openFile(open)", "open")).toBe(true);
  expect(holdsName("openFile(reopen, $open)", "open")).toBe(false);
});

test("plain text keeps letters, tabs and line ends of any language", () => {
  expect(toPlainText("a\tb\nc\u00e9\u4e2d\ud83d\ude00")).toBe("a\tb\nc\u00e9\u4e2d\ud83d\ude00");
  expect(toPlainText("\u001b[2J\u0000\u202eab\u200b\u009b")).toBe("[2Jab");
});

test("a wrong line of the cited ones gives way to the one with the asked name; a quoted comment does not", () => {
  const code = ["// opens the file", "function other() {", "function wanted() {", "#define WANTED_TOO 1", "}"];
  const all = { first: 1, last: 5 };
  expect(locateQuote(code, all, "function other() {", ["wanted"])).toEqual({ line: 3, verified: true });
  expect(locateQuote(code, all, "function other() {", ["WANTED_TOO"])).toEqual({ line: 4, verified: true });
  expect(locateQuote(code, all, "// opens the file", ["wanted"])).toEqual({ line: 1, verified: true });
  expect(locateQuote(code, all, "function other() {", ["absent"])).toEqual({ line: 2, verified: true });
});
