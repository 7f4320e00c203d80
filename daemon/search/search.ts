/** The search itself: costs first, then every candidate on every text, then the choice. */
import { createHash } from "node:crypto";
import type { Engine, ModelInfo, PatternScores } from "../engine/engine.ts";
import { Failure, throwIfCancelled } from "../failure/failure.ts";
import type { PromptModel } from "../prompt/index.ts";
import { productVersion } from "../protocol/version.ts";
import { chunkTokens } from "../sessions/prefill.ts";
import { type CalibrationText, calibrationTexts, type TextSource } from "./calibration-texts.ts";
import { type Candidate, type Costs, costsOf, measuredCandidates, sizedCandidates } from "./candidates.ts";
import { type CandidateMeans, chooseWinners, type HeadWinner, meansOf } from "./choose.ts";
import { type HeadPattern, uniformPatterns } from "./head-pattern-file.ts";
import { budgetKeys, type SearchOptions } from "./options.ts";
import type { ProgressLine } from "./progress-line.ts";
import { type FinishedText, modelDigest, StateFile, type TextKind } from "./state-file.ts";

export const sampledChunks = 4;
const measuredRepeats = 7;

export interface Bench {
  readonly root: string;
  readonly modelDir: string;
  readonly prompt: PromptModel;
  readonly engine: Engine;
  readonly info: ModelInfo;
  readonly signal: AbortSignal;
}

export interface SearchResult {
  readonly digest: string;
  readonly keys: number;
  readonly costs: Costs;
  readonly texts: readonly FinishedText[];
  readonly means: readonly CandidateMeans[];
  readonly winners: readonly HeadWinner[];
}

export function sourceOf({ root, prompt }: Bench, { corpus, length, seed }: SearchOptions): TextSource {
  return { root, model: prompt, corpus, length, seed };
}

/** Throws `invalid-argument`. */
export function checkLength({ info }: Bench, { length }: SearchOptions): void {
  if (length <= info.maxContextTokens) return;
  const most = String(info.maxContextTokens);
  throw new Failure(
    "invalid-argument",
    `--length ${String(length)} exceeds the model's longest context, ${most} tokens.`,
  );
}

/** Every candidate on one text. */
export async function tryAll(
  { engine, signal }: Bench,
  tokens: Uint32Array,
  trial: { readonly candidates: readonly string[]; readonly budgetKeys: number; readonly repeats: number },
  progress: ProgressLine,
): Promise<PatternScores> {
  const scores = await engine.tryPatterns(tokens, {
    chunkTokens,
    trial: { ...trial, sampledChunks },
    signal,
    onProgress: ({ processedTokens, totalTokens }) => {
      progress.reached(processedTokens / totalTokens);
    },
  });
  if (scores.layers.length === 0) {
    throw new Failure(
      "model-unsupported",
      "This model has no layer with full attention whose patterns could be searched.",
    );
  }
  return scores;
}

export function measureCosts(
  bench: Bench,
  tokens: Uint32Array,
  keys: number,
  progress: ProgressLine,
): Promise<PatternScores> {
  const candidates = measuredCandidates(keys).map((candidate) => asFile(bench, candidate));
  return tryAll(bench, tokens, { candidates, budgetKeys: keys, repeats: measuredRepeats }, progress);
}

export function asFile({ info }: Bench, pattern: HeadPattern): string {
  return uniformPatterns(pattern, info.layers, info.attentionHeads);
}

export async function search(bench: Bench, options: SearchOptions, progress: ProgressLine): Promise<SearchResult> {
  checkLength(bench, options);
  const digest = await modelDigest(bench.modelDir);
  const run = new Run(
    bench,
    options,
    progress,
    await StateFile.open(`${options.out}.state`, stateKey(bench.info, digest, options)),
  );
  const texts = await calibrationTexts(sourceOf(bench, options), options.texts);
  await run.take("code", texts.code, options.texts);
  await run.take("retrieval", texts.retrieval, options.texts);
  return { digest, ...run.result() };
}

export async function forgetState(info: ModelInfo, options: SearchOptions, digest: string): Promise<void> {
  await (await StateFile.open(`${options.out}.state`, stateKey(info, digest, options))).remove();
}

/** Costs are those of a device, and so are the sizes that follow from them. */
function stateKey(
  { deviceName, instructionSet }: ModelInfo,
  digest: string,
  { corpus, length, texts, seed, keys }: SearchOptions,
): string {
  const of = { version: productVersion, digest, deviceName, instructionSet };
  const settings = { ...of, corpus, length, texts, seed, keys, chunkTokens, sampledChunks };
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}

class Run {
  readonly #bench: Bench;
  readonly #progress: ProgressLine;
  readonly #state: StateFile;
  readonly #keys: number;
  #prepared: { readonly costs: Costs; readonly candidates: readonly Candidate[] } | null = null;

  constructor(bench: Bench, options: SearchOptions, progress: ProgressLine, state: StateFile) {
    this.#bench = bench;
    this.#progress = progress;
    this.#state = state;
    this.#keys = budgetKeys(options);
    if (state.measured !== null) this.#prepare(state.measured);
  }

  /** Tries the first `count` of `texts` that come out long enough; what an earlier run did is taken as it is. */
  async take(kind: TextKind, texts: readonly CalibrationText[], count: number): Promise<void> {
    let taken = 0;
    for (const text of texts) {
      if (taken === count) return;
      throwIfCancelled(this.#bench.signal);
      if (this.#state.find(kind, text.name) !== undefined) {
        this.#progress.skip();
        taken += 1;
        continue;
      }
      const tokens = await text.make();
      if (tokens === null) continue;
      const { candidates } = this.#prepared ?? (await this.#measure(tokens));
      this.#progress.begin(`${kind}, ${text.name}`);
      const trial = {
        candidates: candidates.map((candidate) => asFile(this.#bench, candidate)),
        budgetKeys: this.#keys,
        repeats: 1,
      };
      const scores = await tryAll(this.#bench, tokens, trial, this.#progress);
      this.#state.texts.push({ kind, name: text.name, tokens: tokens.length, scores });
      await this.#state.save();
      this.#progress.finish();
      taken += 1;
    }
    if (taken === 0) {
      throw new Failure(
        "empty-repository",
        `No text of ${kind} was long enough; give a shorter --length, or --corpus.`,
      );
    }
  }

  result(): Omit<SearchResult, "digest"> {
    if (this.#prepared === null) throw new Error("nothing was measured");
    const { costs, candidates } = this.#prepared;
    const { texts } = this.#state;
    const means = meansOf(
      candidates,
      texts.map(({ scores }) => scores),
    );
    const layers = texts[0]?.scores.layers ?? [];
    const winners = chooseWinners(means, layers, this.#bench.info.attentionHeads);
    return { keys: this.#keys, costs, texts, means, winners };
  }

  async #measure(tokens: Uint32Array): Promise<{ readonly candidates: readonly Candidate[] }> {
    this.#progress.begin("what a pair costs");
    const measured = await measureCosts(this.#bench, tokens, this.#keys, this.#progress);
    this.#state.measured = measured;
    await this.#state.save();
    this.#progress.finish();
    return this.#prepare(measured);
  }

  #prepare(measured: PatternScores): { readonly candidates: readonly Candidate[] } {
    const costs = costsOf(measured, this.#keys);
    this.#prepared = { costs, candidates: sizedCandidates(costs, this.#keys) };
    return this.#prepared;
  }
}
