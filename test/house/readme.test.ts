import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { errorCatalogue } from "../../daemon/protocol/errors.ts";

// What README promises and a check of paths and commands (scripts/docs-truth.mjs) cannot see.
const readme = readFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8");

it("lists every exit code, and no other", () => {
  const table = readme.slice(readme.indexOf("### Exit codes"), readme.indexOf("## Privacy"));
  const listed = [...table.matchAll(/^\|\s*(\d+)\s*\|/gm)].map((match) => Number(match[1]));
  const real = new Set<number>([0, ...Object.values(errorCatalogue).map((entry) => entry.exit)]);
  expect(listed).toEqual([...real].sort((a, b) => a - b));
});
