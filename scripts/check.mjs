// `npm run check`: everything that reads the source without running it, side by side. One line per check; the output
// of a check only when it fails. Exits 0 when all pass, 1 otherwise.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { root, trackedFiles } from "./tracked-files.mjs";

const bin = (/** @type {string} */ file) => path.join(root, "node_modules", file);
const tsconfigs = trackedFiles().filter((file) => /(^|\/)tsconfig\.json$/.test(file));

/** The slow ones first, so that they do not end up alone at the end. */
const checks = [
  { name: "lint", args: [bin("eslint/bin/eslint.js"), "--max-warnings", "0", "."] },
  ...tsconfigs.map((file) => ({ name: `types ${file}`, args: [bin("typescript/bin/tsc"), "-p", file] })),
  { name: "layout (prettier)", args: [bin("prettier/bin/prettier.cjs"), "--check", "--log-level", "warn", "."] },
  { name: "layout (clang-format)", args: ["scripts/clang-format.mjs"] },
  { name: "C++ walls", args: ["scripts/cpp-walls.mjs"] },
  { name: "source rules", args: ["scripts/source-rules.mjs"] },
  { name: "documents", args: ["scripts/docs-truth.mjs"] },
];

/** @param {{ name: string, args: string[] }} check @returns {Promise<boolean>} whether it passed */
function runCheck({ name, args }) {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("error", (error) => (output += error.message));
    child.on("close", (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
      if (code !== 0) console.log(output.trimEnd().replace(/^/gm, "       "));
      resolve(code === 0);
    });
  });
}

let next = 0;
let failed = 0;
await Promise.all(
  Array.from({ length: Math.max(2, availableParallelism()) }, async () => {
    for (let check = checks[next++]; check !== undefined; check = checks[next++]) {
      if (!(await runCheck(check))) failed++;
    }
  }),
);
console.log(failed === 0 ? `all ${checks.length} checks passed` : `${failed} of ${checks.length} checks failed`);
process.exit(failed === 0 ? 0 : 1);
