// The walls between the C++ rooms, read from the #include lines. ARCHITECTURE.md gives the reasons.
import { readFileSync } from "node:fs";
import path from "node:path";
import { root, trackedFiles } from "./tracked-files.mjs";

const isCpp = (/** @type {string} */ file) => /\.(h|cc|cpp|cu|cuh|inc)$/.test(file);
const includeLine = /^\s*#\s*include\s*"([^"]+)"/;
/** Folders that CMake puts on the include path; an include is looked up beside its file first, then here. */
const includeRoots = ["", "kernels", "kernels/cpu", "native", "native/engine"];

/** The room that a file of ours lies in: its longest matching prefix. */
const rooms = ["kernels/cpu", "kernels/cuda", "kernels/index", "kernels/reference", "kernels/bench"].concat([
  "native/engine",
  "native/reference",
  "native/src",
  "native/bench",
  "test",
]);
const roomOf = (/** @type {string} */ file) => rooms.find((room) => file.startsWith(`${room}/`)) ?? "";

/** Which rooms a file may include from. A room always sees itself. */
const mayInclude = {
  // Plain functions that every backend compiles.
  "kernels/index": [],
  "kernels/cpu": ["kernels/index"],
  "kernels/cuda": ["kernels/index"],
  // The oracles share no code with what they judge.
  "kernels/reference": [],
  "native/reference": [],
  "kernels/bench": ["kernels/cpu", "kernels/cuda", "kernels/index"],
  // The next wall narrows this: a backend's own files.
  "native/engine": ["kernels/cpu", "kernels/cuda", "kernels/index"],
  "native/src": ["native/engine"],
  "native/bench": ["native/engine", "kernels/cpu", "kernels/cuda", "kernels/index", "kernels/bench"],
  test: rooms,
};

/** @returns {{ file: string, line: number, name: string, target: string | undefined }[]} every include of one of our files */
function includesOfOurs() {
  const files = trackedFiles().filter(isCpp);
  const known = new Set(files);
  return files.flatMap((file) =>
    readFileSync(path.join(root, file), "utf8")
      .split("\n")
      .flatMap((text, index) => {
        const name = includeLine.exec(text)?.[1];
        if (name === undefined) return [];
        const target = [path.posix.dirname(file), ...includeRoots]
          .map((folder) => path.posix.join(folder, name))
          .find((candidate) => known.has(candidate));
        return [{ file, line: index + 1, name, target }];
      }),
  );
}

const failures = [];
for (const { file, line, name, target } of includesOfOurs()) {
  if (target === undefined) {
    // A wall that cannot see where an include leads is none.
    failures.push(`${file}:${line}: "${name}" is no file of ours: use <${name}>, or name its folder in cpp-walls.mjs`);
    continue;
  }
  const from = roomOf(file);
  const to = roomOf(target);
  if (from === to) continue;
  if (from in mayInclude && to !== "" && !mayInclude[from].includes(to)) {
    failures.push(`${file}:${line}: ${from} may not include ${target}`);
  }
  if (from === "native/engine" && to.startsWith("kernels/") && to !== "kernels/index") {
    const own = `native/engine/${path.posix.basename(to)}_`;
    if (!file.startsWith(own)) failures.push(`${file}:${line}: only ${own}* may include ${target}`);
  }
}

for (const failure of failures) console.error(failure);
process.exit(failures.length > 0 ? 1 : 0);
