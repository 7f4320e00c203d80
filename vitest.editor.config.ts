// The tests in the real editor; run by scripts/test-editor.mjs, which sets it up.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [process.env["LONGSIGHT_SCREENSHOTS"] === "1" ? "test/editor/screenshots.ts" : "test/editor/**/*.test.ts"],
    pool: "forks",
    // One browser and one editor at a time: two cores have enough to do.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // A page on two busy cores takes its time; what never comes fails all the same.
    expect: { poll: { timeout: 30_000, interval: 100 } },
    // Focus in a real editor is anybody's: a step that lost it once may be taken again, and says so.
    retry: 1,
    passWithNoTests: false,
    allowOnly: false,
  },
});
