/** The search with a real engine, a tiny model and a small corpus: stopped, gone on with, and written down. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Engine, ModelInfo } from "../../daemon/engine/engine.ts";
import { startNativeEngine } from "../../daemon/engine/native-engine.ts";
import { loadPromptModel } from "../../daemon/prompt/index.ts";
import { toLayers } from "../../daemon/search/choose.ts";
import { formatHeadPatterns } from "../../daemon/search/head-pattern-file.ts";
import { readSearchOptions } from "../../daemon/search/options.ts";
import { drawSearch } from "../../daemon/search/picture.ts";
import { StateFile } from "../../daemon/search/state-file.ts";
import { ProgressLine } from "../../daemon/search/progress-line.ts";
import { reportedCandidates } from "../../daemon/search/reported-candidates.ts";
import { makeReport, toMarkdown } from "../../daemon/search/report.ts";
import { type Bench, forgetState, search, type SearchResult } from "../../daemon/search/search.ts";
import { type Bundled, bundle } from "../daemon/bundled.ts";
import { writeRepository, writeTinyModel } from "../daemon/tiny-model.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dir = mkdtempSync(path.join(os.tmpdir(), "longsight-search-"));
const modelDir = path.join(dir, "model");
const corpus = path.join(dir, "corpus");
let bundled: Bundled;
let engine: Engine;
let info: ModelInfo;
let trials = 0;
let finished: SearchResult | null = null;

beforeAll(async () => {
  bundled = await bundle();
  writeTinyModel(modelDir);
  mkdirSync(corpus);
  for (const name of ["one", "two"]) writeRepository(path.join(corpus, name), 40, 250);
  engine = startNativeEngine({ workerPath: bundled.nativeWorker, onLog: () => undefined });
  info = await engine.load(modelDir, { device: "cpu", threads: 2 });
});

afterAll(async () => {
  await engine.dispose();
  bundled.remove();
  rmSync(dir, { recursive: true });
});

function optionsFor(out: string) {
  const fixed = ["--corpus", corpus, "--length", "3800", "--keys", "96", "--texts", "2"];
  return readSearchOptions([...fixed, "--out", path.join(dir, out)]);
}

async function run(out: string, cancelAfter = Infinity): Promise<SearchResult> {
  const aborter = new AbortController();
  const counting: Engine = Object.create(engine) as Engine;
  counting.tryPatterns = (tokens, options) => {
    trials += 1;
    if (trials > cancelAfter) aborter.abort();
    return engine.tryPatterns(tokens, options);
  };
  const bench: Bench = {
    root,
    modelDir,
    prompt: await loadPromptModel(modelDir),
    engine: counting,
    info,
    signal: aborter.signal,
  };
  trials = 0;
  const progress = new ProgressLine({ steps: 5, terminal: false, write: () => undefined });
  return search(bench, optionsFor(out), progress);
}

it("goes on after a stop, does nothing twice, and forgets what another search did", async () => {
  const out = "stopped.json";
  await expect(run(out, 3)).rejects.toMatchObject({ code: "cancelled" });
  expect(trials).toBe(4); // costs, both texts of code, and the one that was cancelled
  const resumed = await run(out);
  expect(trials).toBe(2); // both retrieval samples
  expect(resumed.texts.map(({ kind }) => kind)).toEqual(["code", "code", "retrieval", "retrieval"]);
  expect(resumed.texts.every(({ tokens }) => tokens > 2500 && tokens <= 3800)).toBe(true);

  // All is there: nothing is run, and the figures are the same, through the file and back.
  const again = await run(out);
  expect(trials).toBe(0);
  expect(again).toEqual(resumed);
  finished = again;

  const state = `${path.join(dir, out)}.state`;
  const key = (JSON.parse(readFileSync(state, "utf8")) as { key: string }).key;
  expect((await StateFile.open(state, key)).texts).toHaveLength(4);
  expect((await StateFile.open(state, "another model's")).texts).toHaveLength(0);
  const damaged = `${state}.damaged`;
  for (const length of [0, 10, 1000]) {
    writeFileSync(damaged, readFileSync(state, "utf8").slice(0, length));
    expect((await StateFile.open(damaged, key)).texts).toHaveLength(0);
  }
  await forgetState(info, optionsFor(out), again.digest);
  expect(existsSync(state)).toBe(false);
}, 120_000);

it("finds a pattern for every head that has one, and reports it", async () => {
  const result = finished;
  if (result === null) throw new Error("the search did not come to its end");
  expect(result.winners).toHaveLength((result.texts[0]?.scores.layers.length ?? 0) * info.attentionHeads);
  for (const winner of result.winners) {
    const others = result.means.map(({ error }) => error[result.winners.indexOf(winner)]);
    expect(winner.error).toBe(Math.min(...others.map(Number)));
  }
  const report = makeReport("tiny", info, optionsFor("report.json"), result);
  expect(report.shares.stream_llm + report.shares.vertical_and_slash + report.shares.block_sparse).toBeCloseTo(1, 2);
  for (const single of report.bestSingles) expect(report.found.error).toBeLessThanOrEqual(single.error + 1e-4);
  const patterns = path.join(dir, "reported.json");
  expect(await reportedCandidates(patterns, info, 3800, 96)).toBeNull();
  writeFileSync(path.join(dir, "reported.report.json"), JSON.stringify(report));
  expect(await reportedCandidates(patterns, info, 3800, 96)).toEqual(result.means.map(({ candidate }) => candidate));
  expect(await reportedCandidates(patterns, info, 3800, 97)).toBeNull();
  expect(await reportedCandidates(patterns, { ...info, deviceName: "another" }, 3800, 96)).toBeNull();
  const markdown = toMarkdown(report);
  expect(markdown).toContain(`; cpu ${info.instructionSet}, 2 threads.`);
  for (const { layer, heads } of report.layers) {
    expect(markdown).toContain(`| ${String(layer)} |`);
    expect(heads).toHaveLength(info.attentionHeads);
  }
  const picture = drawSearch(report);
  expect(picture.match(/font-family/g)).toHaveLength(1);
  expect([...picture.matchAll(/>([AVB])</g)]).toHaveLength(result.winners.length + 3);
  const file = formatHeadPatterns(toLayers(result.winners, info.layers));
  expect(JSON.parse(file)).toHaveLength(info.layers);
});
