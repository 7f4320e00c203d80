// Checks (or with --write, makes) the layout of our C++ and CUDA files by .clang-format.
//
// The authority is the LLVM 22 binary of the npm package clang-format-node, pinned in package.json: a distribution's
// own clang-format may be years older and lay out the same file differently.
import { spawnSync } from "node:child_process";
import { clangFormatPath } from "clang-format-node";
import { root, trackedFiles } from "./tracked-files.mjs";

const write = process.argv.includes("--write");
const sources = trackedFiles().filter((file) => /\.(h|cc|cpp|cu|cuh|inc)$/.test(file));
if (sources.length > 0) {
  const mode = write ? ["-i"] : ["--dry-run", "--Werror"];
  const { status, error, stderr } = spawnSync(clangFormatPath, [...mode, "--style=file", ...sources], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error) throw error;
  if (status !== 0) {
    const places = stderr.match(/^\S+:\d+:\d+(?=: error)/gm) ?? [stderr.trim()];
    const files = new Map(places.map((place) => [place.split(":")[0], place]));
    for (const place of files.values()) console.error(`${place}: not laid out by .clang-format`);
    console.error("`npm run format` lays them out.");
    process.exit(1);
  }
}
