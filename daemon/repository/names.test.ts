import { expect, test } from "vitest";
import { type FileNames, namesIn } from "./names.ts";

/** Which of these words are among the names: their hashes are all that is kept. */
function among(words: readonly string[], { defined, mentioned }: FileNames, kind: keyof FileNames): string[] {
  const kept = new Set(kind === "defined" ? defined : mentioned);
  return words.filter((word) => namesIn(word).mentioned.every((hash) => kept.has(hash)));
}

test.each([
  [
    "JavaScript",
    "export async function readAll(from) {}\nclass Queue2 extends Base {\n  pushAll(items) {\n",
    "readAll Queue2 pushAll",
  ],
  [
    "its constants and exports",
    "export const mostRows = inner;\nconst output = 1;\n  const ownName = 1;\nexports.parseAll = parse;\n",
    "mostRows parseAll",
  ],
  [
    "TypeScript",
    "export default interface Shape {}\ndeclare type Kind = Other;\n  private async load(id: string): Promise<void> {\n",
    "Shape Kind load",
  ],
  [
    "Python",
    "class Store(Base):\n    async def fetch_one(self, key):\n        return lookup(key)\n",
    "Store fetch_one",
  ],
  ["Rust", "pub(crate) fn parse_it(text: &str) -> Out {\npub struct Line {\nimpl Trait for Line {\n", "parse_it Line"],
  ["Go", "func (s *Server) Serve(addr string) error {\ntype Handler interface {\n", "Serve Handler"],
  [
    "C",
    "#define MOST_ROWS 8\nstatic int count_rows(const struct table *t)\n{\n  return helper(t);\n}\n",
    "MOST_ROWS count_rows",
  ],
  [
    "Java",
    "public final class Reader {\n  @Override public String readLine(int at) throws Oops {\n",
    "Reader readLine",
  ],
  ["no prose", "// class names are not here, nor type annotations\n * function words\n", ""],
  ["no calls", 'describe("it", () => {\n  for (const item of items) {\n    promise.then((value) => {\n', "describe"],
])("what a text defines: %s", (_, text, expected) => {
  const words = [...new Set(text.match(/[A-Za-z_]\w{3,}/g))];
  expect(among(words, namesIn(text), "defined").join(" ")).toBe(expected);
  expect(among(words, namesIn(text), "mentioned")).toEqual(words);
});

test("a long line of anything is done in linear time, or this would run out of time", () => {
  const line = `${"word ".repeat(50_000)}(`;
  const { mentioned } = namesIn(`${line}\n  ${line}\n${"a".repeat(200_000)}\n${"(".repeat(200_000)}`);
  expect(mentioned).toHaveLength(2);
});
