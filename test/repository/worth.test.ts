import { expect, test } from "vitest";
import { fileWorths, scanRepository } from "../../daemon/repository/index.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const filler = (lines: number): string => "  // nothing of note\n".repeat(lines);

test("what is used elsewhere makes a file worth its room; size alone, tests and common names do not", async () => {
  const root = temporaryFolder({
    "src/core.ts": `export function openStore(): void {}\nexport class StoreError extends Error {}\n${filler(20)}`,
    "src/large.ts": `export function openStore2(): void {}\n${filler(400)}`,
    "src/alone.ts": "export function usedByNobody(): void {}\n",
    "src/user.ts":
      "import { openStore, openStore2 } from './core';\nopenStore2(); openStore(); throw new StoreError();\n",
    "test/core.test.ts": "export function testHelper() {}\nusedByNobody();\n",
    ...Object.fromEntries(
      [1, 2, 3, 4].map((n) => [`src/plugin${String(n)}.ts`, "export function activate(): void {}\n"]),
    ),
  });
  const worths = fileWorths(await scanRepository(root));
  const order = [...worths].filter(([, worth]) => worth > 0).sort(([, a], [, b]) => b - a);
  expect(order.map(([path]) => path)).toEqual(["src/core.ts", "src/large.ts"]);
});
