// `npm test`: the TypeScript tests (Vitest) and then the native ones (CTest), both even when the first fail. Ends with
// one line, `N passed, N failed`, over both. Exits 0 when all passed.
//
// The addon and the bundles are what `npm ci` made; after an edit of either, `npm run build` makes them again.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { root } from "./tracked-files.mjs";

/** @typedef {{ passed: number, failed: number }} Counts */

/** @param {string[]} args @returns {{ ok: boolean, output: string }} the output, which was also shown */
function runShown(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 28,
  });
  process.stdout.write(stdout);
  return { ok: status === 0, output: stdout + (stderr ?? "") };
}

/** @returns {Counts} */
function runUnitTests() {
  const folder = mkdtempSync(path.join(tmpdir(), "longsight-test-"));
  const report = path.join(folder, "vitest.json");
  try {
    const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
    const { status } = spawnSync(
      process.execPath,
      [vitest, "run", "--reporter=dot", "--reporter=json", `--outputFile.json=${report}`],
      { cwd: root, stdio: ["ignore", "inherit", "inherit"] },
    );
    if (!existsSync(report)) return { passed: 0, failed: 1 };
    /** @type {{ numPassedTests: number, numFailedTests: number, numFailedTestSuites: number }} */
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
    // A file that cannot be loaded, or an error outside any test, fails the run without a failed test.
    return { passed: numPassedTests, failed: numFailedTests === 0 && status !== 0 ? 1 : numFailedTests };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns {Counts} */
function runNativeTests() {
  const { ok, output } = runShown(["scripts/test-native.mjs"]);
  // CTest's last line: "100% tests passed, 0 tests failed out of 12".
  const summary = /(\d+) tests failed out of (\d+)/.exec(output);
  if (summary === null) return { passed: 0, failed: ok ? 0 : 1 };
  const failed = Number(summary[1]);
  return { passed: Number(summary[2]) - failed, failed: failed === 0 && !ok ? 1 : failed };
}

const unit = runUnitTests();
const native = runNativeTests();
const passed = unit.passed + native.passed;
const failed = unit.failed + native.failed;
console.log(
  `Vitest: ${unit.passed} passed, ${unit.failed} failed; CTest: ${native.passed} passed, ${native.failed} failed`,
);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
