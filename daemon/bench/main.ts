/** `longsight bench prefill`: packs a repository and lets the native program prefill it in each mode. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Failure, toFailure } from "../failure/failure.ts";
import { errorCatalogue } from "../protocol/errors.ts";
import { drawChart } from "./chart.ts";
import { benchHelp, type BenchOptions, readBenchOptions } from "./options.ts";
import { writeRepositoryTokens } from "./repository-tokens.ts";
import { readResult, toTable } from "./result.ts";

/** The CLI's bundles lie in dist/. */
const root = fileURLToPath(new URL("..", import.meta.url));

async function bench(options: BenchOptions): Promise<void> {
  const suffix = process.platform === "win32" ? ".exe" : "";
  const program = path.join(root, "build", "bin", `longsight-bench-prefill${suffix}`);
  if (!existsSync(program)) throw new Failure("internal", `${program} is not built; \`npm run build\` builds it.`);
  const folder = await mkdtemp(path.join(os.tmpdir(), "longsight-bench-"));
  try {
    const source = options.shape === undefined ? await modelArguments(options, folder) : [];
    const lengths = ["--lengths", options.lengths.join(",")];
    const result = readResult(await run(program, [...source, ...lengths, ...options.passed, "--json"]));
    if (options.picture !== undefined) await writeFile(options.picture, drawChart(result));
    process.stdout.write(options.json ? `${JSON.stringify(result, null, 1)}\n` : toTable(result));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function modelArguments(options: BenchOptions, folder: string): Promise<string[]> {
  const model = path.resolve(options.model ?? process.env["LONGSIGHT_MODEL"] ?? path.join(root, "models", "bundled"));
  const repository = path.resolve(options.repo ?? path.join(root, "node_modules"));
  const file = path.join(folder, "tokens");
  await writeRepositoryTokens(repository, model, Math.max(64, ...options.lengths), file);
  const own = path.join(model, "head-patterns.json");
  const patterns = options.passed.includes("--patterns") || !existsSync(own) ? [] : ["--patterns", own];
  return ["--model", model, "--tokens", file, ...patterns];
}

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.once("error", (error) => {
      reject(new Failure("internal", `${program} cannot be run: ${error.message}`, { cause: error }));
    });
    child.once("close", (code, signal) => {
      if (code === 0) resolve(output);
      else if (signal === "SIGINT") reject(new Failure("cancelled", "The measurement was cancelled."));
      else reject(new Failure(code === 64 ? "invalid-argument" : "internal", firstLine(errors)));
    });
  });
}

/** Without the program's own usage below it. */
function firstLine(errors: string): string {
  return (errors.split("\n")[0] ?? "").replace(/^longsight-bench-prefill: /, "");
}

try {
  const options = readBenchOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(benchHelp);
  else await bench(options);
} catch (thrown) {
  const failure = toFailure(thrown);
  const { exit, next } = errorCatalogue[failure.code];
  process.stderr.write(`longsight bench prefill: ${failure.message}${next === "" ? "" : `\n${next}`}\n`);
  process.exitCode = exit;
}
