import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["daemon/**/*.test.ts", "extension/**/*.test.ts", "scripts/**/*.test.mjs", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist/**", "build*/**", "test/editor/**"],
    // Processes rather than threads: tests start daemons, send signals and change the working directory.
    pool: "forks",
    // A first start of the daemon or of git on a loaded two-core machine takes seconds.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    passWithNoTests: false,
    allowOnly: false,
    restoreMocks: true,
  },
});
