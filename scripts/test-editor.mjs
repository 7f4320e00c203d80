// `npm run test:editor`: the tests in the real editor. Sets the editor up, packages the extension, and runs
// test/editor. Ends with one line, `N passed, N failed`. Arguments go to Vitest, such as a file's name.
// `npm run screenshots` is the same with `--screenshots`: it takes the pictures of README and the walkthrough instead.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { editorSetup } from "./editor-setup.mjs";
import { root } from "./tracked-files.mjs";

/** @param {string[]} args @param {Record<string, string>} [env] @returns {number | null} the exit status */
function runNode(args, env = {}) {
  return spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  }).status;
}

const screenshots = process.argv.includes("--screenshots");
const names = process.argv.slice(2).filter((argument) => argument !== "--screenshots");
const setup = await editorSetup();
// The package holds the walkthrough's pictures: the first ones are taken with a package that has none yet.
if (screenshots) mkdirSync(path.join(root, "media/walkthrough"), { recursive: true });
if (runNode(["scripts/package.mjs"]) !== 0) {
  console.log("0 passed, 1 failed");
  process.exit(1);
}
const pictures = path.join(root, "build-editor/pictures");
rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });
const report = path.join(root, "build-editor/vitest.json");
rmSync(report, { force: true });
const vitest = [path.join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", "vitest.editor.config.ts"];
const reporters = ["--reporter=verbose", "--reporter=json", `--outputFile.json=${report}`];
const status = runNode([...vitest, ...reporters, ...names], {
  LONGSIGHT_EDITOR_SETUP: JSON.stringify(setup),
  LONGSIGHT_SCREENSHOTS: screenshots ? "1" : "0",
});
/** @type {{ numPassedTests: number, numFailedTests: number }} */
const counts = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : { numPassedTests: 0, numFailedTests: 1 };
const failed = counts.numFailedTests === 0 && status !== 0 ? 1 : counts.numFailedTests;
console.log(`pictures: ${path.relative(root, pictures)}`);
console.log(`${counts.numPassedTests} passed, ${failed} failed`);
process.exit(failed === 0 && counts.numPassedTests > 0 ? 0 : 1);
