/** `longsight eval`: started by the CLI as a process of its own, with an engine of its own. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startNativeEngine } from "../engine/native-engine.ts";
import { Failure, toFailure } from "../failure/failure.ts";
import type { Engine } from "../engine/engine.ts";
import { loadPromptModel, type PromptModel } from "../prompt/index.ts";
import { errorCatalogue } from "../protocol/errors.ts";
import { readSettings, type Settings } from "../server/settings.ts";
import { resolvePrefill } from "../sessions/prefill-settings.ts";
import { LongsightService } from "../sessions/service.ts";
import { drawHeatMap } from "./heat-map.ts";
import { makeContexts } from "./make-contexts.ts";
import { type EvalOptions, evalHelp, readEvalOptions } from "./options.ts";
import { measurePerplexity, type PerplexityRow, perplexityTable } from "./perplexity.ts";
import { summarize, toMarkdown } from "./report.ts";
import { type Answered, runContext } from "./runner.ts";

/** The CLI's bundles lie in dist/. */
const root = fileURLToPath(new URL("..", import.meta.url));

function startService(model: string, settings: Settings): LongsightService {
  const { device, threads, kv, weights } = settings;
  return new LongsightService({
    modelsDir: path.join(root, "models"),
    defaultModel: model,
    cacheDir: null,
    logFile: "",
    version: "eval",
    device,
    threads,
    kv,
    weights,
    log: { info: () => undefined, error: (text) => process.stderr.write(`${text}\n`) },
    startEngine,
  });
}

function startEngine(): Engine {
  return startNativeEngine({ workerPath: path.join(root, "dist", "native-worker.js"), onLog: () => undefined });
}

type Say = (line: string) => void;

async function perplexities(
  options: EvalOptions,
  prompt: PromptModel,
  { device, threads, kv, weights }: Settings,
  say: Say,
  signal: AbortSignal,
): Promise<PerplexityRow[]> {
  const { settings } = await resolvePrefill({ prefill: "sparse", ...sparseChoice(options) }, prompt.modelDir);
  const engine = startEngine();
  const rows: PerplexityRow[] = [];
  try {
    await engine.load(prompt.modelDir, { device, threads, kv, weights });
    const source = { root, model: prompt, engine, options, signal, say, ...settings };
    for (const tokens of options.lengths) rows.push(await measurePerplexity(source, tokens));
  } finally {
    await engine.dispose();
  }
  return rows;
}

function sparseChoice(options: EvalOptions): { patterns?: string; recallFloor?: number } {
  return {
    ...(options.patterns === undefined ? {} : { patterns: path.resolve(options.patterns) }),
    ...(options.recallFloor === undefined ? {} : { recallFloor: options.recallFloor }),
  };
}

/** What has been answered so far is printed also when it is cancelled half way. */
async function evaluate(options: EvalOptions, signal: AbortSignal): Promise<void> {
  const model = path.resolve(options.model ?? process.env["LONGSIGHT_MODEL"] ?? path.join(root, "models", "bundled"));
  const prompt = await loadPromptModel(model);
  // As the daemon has them: LONGSIGHT_DEVICE, LONGSIGHT_KV and what else the environment says of the engine.
  const settings = readSettings(process.env, root);
  const service = startService(model, settings);
  const answers: Answered[] = [];
  const predicted: PerplexityRow[] = [];
  const say: Say = (line) => {
    if (process.stderr.isTTY || options.verbose) process.stderr.write(`${line}\n`);
  };
  const choice = sparseChoice(options);
  try {
    for (const task of options.tasks) {
      if (task === "perplexity") {
        predicted.push(...(await perplexities(options, prompt, settings, say, signal)));
        continue;
      }
      for (const tokens of options.lengths) {
        let done = 0;
        for await (const context of makeContexts({ root, model: prompt, options }, task, tokens)) {
          const trace = (line: string): void => {
            if (options.verbose) process.stderr.write(`${line}\n`);
          };
          const answered = await runContext(context, { service, model, modes: options.modes, choice, signal, trace });
          answers.push(...answered);
          done += answered.length;
          say(
            `${task} at ${tokens.toLocaleString("en-US")} tokens: ${String(done)} of ${String(options.samples)} answered`,
          );
        }
      }
    }
  } finally {
    await service.close();
    if (answers.length + predicted.length > 0) await print(answers, predicted, options, model);
  }
}

async function print(
  answers: readonly Answered[],
  perplexity: readonly PerplexityRow[],
  options: EvalOptions,
  model: string,
): Promise<void> {
  const rows = summarize(answers, options.modes, options.seed);
  if (options.picture !== undefined) {
    const grid = answers.filter(({ task }) => task === "grid");
    await writeFile(options.picture, drawHeatMap(grid, options.modes));
  }
  const result = { model: path.basename(model), seed: options.seed, rows, perplexity, answers };
  const tables = [
    ...(rows.length === 0 ? [] : [toMarkdown(rows)]),
    ...(perplexity.length === 0 ? [] : [perplexityTable(perplexity)]),
  ];
  process.stdout.write(options.json ? `${JSON.stringify(result, null, 1)}\n` : tables.join("\n"));
}

const aborter = new AbortController();
process.once("SIGINT", () => {
  aborter.abort();
});
try {
  const options = readEvalOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(evalHelp);
  else await evaluate(options, aborter.signal);
} catch (thrown) {
  const failure = thrown instanceof Failure ? thrown : toFailure(thrown);
  const { exit, next } = errorCatalogue[failure.code];
  process.stderr.write(`longsight eval: ${failure.message}${next === "" ? "" : `\n${next}`}\n`);
  if (failure.code === "internal" && failure.cause instanceof Error)
    process.stderr.write(`${failure.cause.stack ?? ""}\n`);
  process.exitCode = exit;
}
process.exit();
