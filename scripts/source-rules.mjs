// Rules for every source file that no linter of ours knows: its length, its name, and no unfinished work in it.
import { readFileSync } from "node:fs";
import path from "node:path";
import { root, trackedFiles } from "./tracked-files.mjs";

/** A file longer than this has more than one job. */
const maxLines = 400;
const isSource = (/** @type {string} */ file) => /\.(ts|mjs|js|h|cc|cpp|cu|cuh|py|cmake)$|CMakeLists\.txt$/.test(file);
// Joined from halves, so that this file does not find itself.
const unfinished = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`);
const catchAllName = /(^|[/_-])(utils?|helpers?|misc|common)\.[a-z]+$/;

const failures = trackedFiles()
  .filter(isSource)
  .flatMap((file) => {
    const lines = readFileSync(path.join(root, file), "utf8").split("\n");
    const found = lines.flatMap((line, index) =>
      unfinished.test(line) ? [`${file}:${index + 1}: unfinished work: ${line.trim()}`] : [],
    );
    for (const [index, line] of lines.entries()) {
      if (/eslint-disable(?!.* -- )/.test(line) && file !== "scripts/source-rules.mjs") {
        found.push(`${file}:${index + 1}: say after " -- " why the rule does not fit here`);
      }
    }
    if (lines.length - 1 > maxLines) found.push(`${file}: ${lines.length - 1} lines, more than ${maxLines}: split it`);
    if (catchAllName.test(file)) found.push(`${file}: name the file after its one job`);
    return found;
  });

for (const failure of failures) console.error(failure);
process.exit(failures.length > 0 ? 1 : 0);
