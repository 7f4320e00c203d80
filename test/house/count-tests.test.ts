import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("../../scripts/count-tests.mjs", import.meta.url));

function count(output: string, status: number): string {
  return spawnSync(process.execPath, [script, String(status)], { input: output, encoding: "utf8" }).stdout.trim();
}

it("takes the last closing line of our own", () => {
  expect(count("1 passed, 0 failed\n...\n41 passed, 2 failed\n", 1)).toBe("41 2");
});

it("takes CTest's summary", () => {
  expect(count("100% tests passed, 0 tests failed out of 12\n", 0)).toBe("12 0");
  expect(count("75% tests passed, 3 tests failed out of 12\n", 8)).toBe("9 3");
});

it("counts a run without a summary as one test", () => {
  expect(count("all 11 checks passed\n", 0)).toBe("1 0");
  expect(count("", 2)).toBe("0 1");
});

it("never loses a failure that named no test", () => {
  expect(count("12 passed, 0 failed\n", 1)).toBe("12 1");
});
