// Builds the addon (build/Release/longsight.node) and the bench programs (build/bin) with cmake-js. Run by `npm ci`.
//
// LONGSIGHT_CUDA=1 asks for the CUDA backend, which needs nvcc. Quiet when all goes well; one clear line when a tool is missing; the compiler's own words when it fails. Downloads
// nothing: the headers of Node-API come from npm packages.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const addon = path.join(root, "build/Release/longsight.node");
const minimumCmake = [3, 22];

/** @param {string} line @returns {never} */
function fail(line) {
  console.error(`longsight: ${line}`);
  process.exit(1);
}

/** @param {string} command @param {string[]} args */
function run(command, args) {
  return spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
}

function checkCmake() {
  const { error, stdout } = run("cmake", ["--version"]);
  const wanted = minimumCmake.join(".");
  if (error) fail(`CMake ${wanted} or newer is needed to build the engine and was not found (https://cmake.org).`);
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(stdout) ?? []).slice(1).map(Number);
  if (major < minimumCmake[0] || (major === minimumCmake[0] && minor < minimumCmake[1])) {
    fail(`CMake ${wanted} or newer is needed to build the engine; found ${major}.${minor}.`);
  }
}

/** Compiles three lines: a compiler that is too old is told here, not by pages of template errors. */
function checkCompiler() {
  if (process.platform === "win32") return; // cmake-js finds Visual Studio and says so when there is none
  const compilers = process.env.CXX ? [process.env.CXX] : ["c++", "g++", "clang++"];
  const compiler = compilers.find((name) => !run(name, ["--version"]).error);
  if (compiler === undefined) {
    fail(
      `A C++20 compiler (GCC 11, Clang 14 or newer) is needed to build the engine; found none of ${compilers.join(", ")}.`,
    );
  }
  const folder = mkdtempSync(path.join(tmpdir(), "longsight-compiler-"));
  try {
    const source = path.join(folder, "probe.cpp");
    writeFileSync(source, "#include <bit>\n#include <span>\nint main() { return std::bit_cast<int>(0u); }\n");
    const { status } = run(compiler, ["-std=c++20", "-fsyntax-only", source]);
    if (status !== 0)
      fail(`${compiler} cannot compile C++20; GCC 11 or Clang 14 or newer is needed to build the engine.`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The CUDA backend takes minutes to compile and a toolkit: only where LONGSIGHT_CUDA=1 asks for it. */
function wantsCuda() {
  const value = process.env.LONGSIGHT_CUDA ?? "";
  if (!["", "0", "1"].includes(value)) fail(`LONGSIGHT_CUDA=${value} is neither 0 nor 1.`);
  return value === "1";
}

function build() {
  const cmakeJs = path.join(root, "node_modules/cmake-js/bin/cmake-js");
  if (!existsSync(cmakeJs)) fail("cmake-js is not installed; run `npm ci`.");
  // `build` rather than `compile`: the latter hides a compiler error behind a second, full build.
  const cuda = `--CDLONGSIGHT_CUDA=${wantsCuda() ? "ON" : "OFF"}`;
  const args = [cmakeJs, "build", "--log-level", "error", "--parallel", String(availableParallelism()), cuda];
  const { status, stdout, stderr } = run(process.execPath, args);
  if (status !== 0) {
    console.error(stdout + stderr);
    fail("The engine did not build; the compiler's messages are above.");
  }
  // What CMake says when it was asked for CUDA and found no nvcc.
  const absent = /^.*CUDA: asked for.*$/m.exec(stdout + stderr);
  if (absent) console.error(`longsight: ${absent[0].trim()}`);
  if (!existsSync(addon)) fail(`The build ended without ${addon}.`);
}

checkCmake();
checkCompiler();
build();
