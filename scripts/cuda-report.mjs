// Compiles every CUDA source for every target with nvcc, and tells what each kernel takes: registers, shared memory, spills.
// Fails when a kernel does not compile or spills in earnest: a spill in a main loop costs more than what it was meant to save.
//
//   node scripts/cuda-report.mjs            a line per kernel that is notable, and the sums
//   node scripts/cuda-report.mjs --json     all of it
//
// Without nvcc it says so in one line and succeeds.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = path.join(root, "kernels/cuda");
// As in kernels/cuda/language.cmake; PTX is assembled by the driver of the machine that it meets.
const targets = [
  { name: "sm_80", gencode: "arch=compute_80,code=sm_80" },
  { name: "sm_90a", gencode: "arch=compute_90a,code=sm_90a" },
  { name: "compute_120", gencode: "arch=compute_120,code=compute_120" },
];
const nvcc = process.env.CUDACXX ?? "nvcc";
/** Stores and loads of a number or two, outside of the loops (kernels/README.md tells of them). */
const toleratedSpillBytes = 64;

/** @typedef {{ kernel: string, target: string, file: string, registers: number, sharedBytes: number, spillBytes: number }} Row */

/** @param {string} file @param {string} out @returns {Promise<string>} what nvcc and ptxas said; rejects when it failed */
function compile(file, out) {
  const gencode = targets.flatMap((target) => ["-gencode", target.gencode]);
  const args = ["-std=c++20", "-O3", `-I${path.dirname(folder)}`, ...gencode, "-Xptxas", "-v", "-c", file, "-o", out];
  return new Promise((resolve, reject) => {
    const child = spawn(nvcc, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    let output = "";
    child.stderr.on("data", (data) => (output += data));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${file} does not compile:\n${output}`));
    });
  });
}

/** @param {string} file @param {string} output @returns {Row[]} */
function readRows(file, output) {
  /** @type {Row[]} */
  const rows = [];
  /** @type {{ kernel: string, target: string } | null} */
  let at = null;
  let spillBytes = 0;
  for (const line of output.split("\n")) {
    const entry = /Compiling entry function '(\w+)' for '(\w+)'/.exec(line);
    if (entry) {
      at = { kernel: entry[1] ?? "", target: entry[2] ?? "" };
      spillBytes = 0;
    }
    const spills = /(\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (spills) spillBytes = Number(spills[1]) + Number(spills[2]);
    const used = /Used (\d+) registers/.exec(line);
    if (used && at) {
      const shared = /(\d+) bytes smem/.exec(line);
      rows.push({ ...at, file, registers: Number(used[1]), sharedBytes: Number(shared?.[1] ?? 0), spillBytes });
      at = null;
    }
  }
  return rows;
}

/** Readable names where the toolkit's filter is there. @param {Row[]} rows */
function demangle(rows) {
  const names = rows.map((row) => row.kernel).join("\n");
  const { status, stdout } = ["cu++filt", "c++filt"]
    .map((filter) => spawnSync(filter, [], { input: names, encoding: "utf8" }))
    .find((result) => result.status === 0) ?? { status: 1, stdout: "" };
  if (status !== 0) return;
  for (const [index, line] of stdout.trimEnd().split("\n").entries()) {
    const row = rows[index];
    if (row)
      row.kernel = line
        .replaceAll("longsight::cuda::", "")
        .replaceAll("(anonymous namespace)::", "")
        .replace(/\(.*$/, "");
  }
}

async function main() {
  if (spawnSync(nvcc, ["--version"]).error) {
    console.log("cuda-report: nvcc is not here; the CUDA kernels were not compiled");
    return 0;
  }
  const out = mkdtempSync(path.join(tmpdir(), "longsight-cuda-"));
  const files = readdirSync(folder).filter((file) => file.endsWith(".cu"));
  /** @type {Row[]} */
  const rows = [];
  const failures = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (let file = files[next++]; file !== undefined; file = files[next++]) {
        try {
          rows.push(...readRows(file, await compile(file, path.join(out, `${file}.o`))));
        } catch (thrown) {
          failures.push(thrown instanceof Error ? thrown.message : String(thrown));
        }
      }
    }),
  );
  rmSync(out, { recursive: true, force: true });
  demangle(rows);
  const spilling = rows.filter((row) => row.spillBytes > toleratedSpillBytes);
  for (const row of spilling)
    failures.push(`${row.file}: ${row.kernel} for ${row.target} spills ${row.spillBytes} bytes`);
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify(rows, null, 1));
  } else {
    const most = (/** @type {keyof Row & ("registers" | "sharedBytes" | "spillBytes")} */ what) =>
      Math.max(0, ...rows.map((row) => row[what]));
    for (const file of files) {
      const own = rows.filter((row) => row.file === file);
      if (own.length === 0) continue;
      const registers = own.map((row) => row.registers);
      console.log(`${file}: ${own.length} kernels, ${Math.min(...registers)} to ${Math.max(...registers)} registers`);
    }
    console.log(
      `cuda-report: ${files.length} files for ${targets.map((target) => target.name).join(", ")}; ${rows.length} kernels, ` +
        `at most ${most("registers")} registers and ${most("sharedBytes")} bytes of static shared memory, at most ${most("spillBytes")} bytes of spills`,
    );
  }
  for (const failure of failures) console.error(failure);
  return failures.length > 0 ? 1 : 0;
}

process.exit(await main());
