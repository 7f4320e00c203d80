/** `longsight search`: started by the CLI as a process of its own, with an engine of its own. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startNativeEngine } from "../engine/native-engine.ts";
import { heldOutPackages } from "../eval/held-out.ts";
import { Failure, toFailure } from "../failure/failure.ts";
import { loadPromptModel } from "../prompt/index.ts";
import { errorCatalogue } from "../protocol/errors.ts";
import { compare, comparisonText } from "./compare.ts";
import { toLayers } from "./choose.ts";
import { formatHeadPatterns } from "./head-pattern-file.ts";
import { readSearchOptions, searchHelp, type SearchOptions } from "./options.ts";
import { drawSearch } from "./picture.ts";
import { ProgressLine } from "./progress-line.ts";
import { makeReport, toMarkdown } from "./report.ts";
import { type Bench, forgetState, search } from "./search.ts";

/** The CLI's bundles lie in dist/. */
const root = fileURLToPath(new URL("..", import.meta.url));

async function run(options: SearchOptions, signal: AbortSignal): Promise<void> {
  const modelDir = path.resolve(
    options.model ?? process.env["LONGSIGHT_MODEL"] ?? path.join(root, "models", "bundled"),
  );
  const prompt = await loadPromptModel(modelDir);
  const workerPath = path.join(root, "dist", "native-worker.js");
  const engine = startNativeEngine({ workerPath, onLog: (line) => process.stderr.write(`${line}\n`) });
  try {
    const threads = Number(process.env["LONGSIGHT_THREADS"] ?? 0);
    const info = await engine.load(modelDir, { device: options.device, threads });
    const bench: Bench = { root, modelDir, prompt, engine, info, signal };
    await (options.compare === undefined
      ? searchAndWrite(bench, options)
      : compareAndPrint(bench, options.compare, options));
  } finally {
    await engine.dispose();
  }
}

async function searchAndWrite(bench: Bench, options: SearchOptions): Promise<void> {
  const startedAt = performance.now();
  const progress = newProgress(2 * options.texts + 1);
  const result = await search(bench, options, progress);
  progress.end();
  const report = makeReport(path.basename(bench.modelDir), bench.info, options, result);
  const { dir, name } = path.parse(options.out);
  const beside = (ending: string): string => path.join(dir, `${name}${ending}`);
  await writeFile(options.out, formatHeadPatterns(toLayers(result.winners, bench.info.layers)));
  await writeFile(beside(".report.json"), `${JSON.stringify(report, null, 1)}\n`);
  const markdown = toMarkdown(report);
  await writeFile(beside(".report.md"), markdown);
  await writeFile(beside(".svg"), drawSearch(report));
  await forgetState(bench.info, options, result.digest);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  process.stdout.write(`${markdown}\nWritten to ${options.out} after ${seconds} s.\n`);
}

async function compareAndPrint(bench: Bench, file: string, options: SearchOptions): Promise<void> {
  const asked = options.questions > 0 ? heldOutPackages.length : 0;
  const comparison = await compare(
    bench,
    path.resolve(file),
    options,
    newProgress(2 * heldOutPackages.length + 1 + asked),
  );
  process.stdout.write(options.json ? `${JSON.stringify(comparison, null, 1)}\n` : comparisonText(comparison));
}

function newProgress(steps: number): ProgressLine {
  return new ProgressLine({ steps, terminal: process.stderr.isTTY, write: (text) => process.stderr.write(text) });
}

const aborter = new AbortController();
process.once("SIGINT", () => {
  aborter.abort();
});
try {
  const options = readSearchOptions(process.argv.slice(2), process.env);
  if (options.help) process.stdout.write(searchHelp);
  else await run(options, aborter.signal);
} catch (thrown) {
  const failure = thrown instanceof Failure ? thrown : toFailure(thrown);
  const { exit, next } = errorCatalogue[failure.code];
  process.stderr.write(`longsight search: ${failure.message}${next === "" ? "" : `\n${next}`}\n`);
  if (failure.code === "cancelled")
    process.stderr.write("What was finished is kept: the same command goes on from there.\n");
  if (failure.code === "internal" && failure.cause instanceof Error)
    process.stderr.write(`${failure.cause.stack ?? ""}\n`);
  process.exitCode = exit;
}
process.exit();
