/**
 * How well the model predicts long texts after a dense and after a sparse prefill, the predicted rows being sparse themselves:
 * the measure that sees what questions, which attend densely, may not.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { Engine, PrefillReport } from "../engine/engine.ts";
import { Failure } from "../failure/failure.ts";
import { packRepository, type PromptModel } from "../prompt/index.ts";
import { scanRepository } from "../repository/index.ts";
import { chunkTokens } from "../sessions/prefill.ts";
import { drawFiles, heldOutPackages } from "./held-out.ts";
import type { EvalOptions } from "./options.ts";
import { Random } from "./random.ts";
import { withFolder } from "./repository-folder.ts";
import type { EvalMode } from "./runner.ts";
import { type Interval, mean, pairedDifference } from "./statistics.ts";

/** At most so many tokens at the end of a text are predicted, and at most half of it: the others are its context. */
const mostScored = 4096;

export interface PerplexityRow {
  readonly tokens: number;
  readonly texts: number;
  readonly perplexity: Readonly<Partial<Record<EvalMode, number>>>;
  /** Sparse less dense in nats per token, and its 95 % interval; null unless both ran. */
  readonly difference: { readonly mean: number; readonly interval: Interval } | null;
  /** Of the sparse runs. */
  readonly recall: number | null;
  readonly sparsity: number | null;
}

export interface PerplexitySource {
  /** The installation's folder. */
  readonly root: string;
  readonly model: PromptModel;
  readonly engine: Engine;
  readonly options: EvalOptions;
  /** Of the sparse runs. */
  readonly patterns: string | null;
  readonly recallFloor: number | null;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export async function measurePerplexity(source: PerplexitySource, tokens: number): Promise<PerplexityRow> {
  const { modes, seed } = source.options;
  const texts = await readTexts(source, tokens);
  const reports: PrefillReport[][] = [];
  for (const text of texts) {
    const ofText: PrefillReport[] = [];
    for (const mode of modes) ofText.push(await score(source, text, mode));
    reports.push(ofText);
    source.say(
      `perplexity at ${tokens.toLocaleString("en-US")} tokens: ${String(reports.length)} of ${String(texts.length)}`,
    );
  }
  const losses = (mode: EvalMode): number[] => {
    const at = modes.indexOf(mode);
    return reports.map((ofText) => ofText[at]).flatMap((report) => (report ? [lossOf(report)] : []));
  };
  const sparse = reports.flatMap((ofText) => ofText[modes.indexOf("sparse")] ?? []);
  const both = modes.length > 1;
  return {
    tokens,
    texts: texts.length,
    perplexity: Object.fromEntries(modes.map((mode) => [mode, Math.exp(mean(losses(mode)))])),
    difference: both
      ? {
          mean: mean(losses("sparse")) - mean(losses("dense")),
          interval: pairedDifference(losses("dense"), losses("sparse"), new Random(seed)),
        }
      : null,
    recall: sparse.length === 0 ? null : mean(sparse.map((one) => one.recallSum / Math.max(1, one.recallCount))),
    sparsity: sparse.length === 0 ? null : mean(sparse.map((one) => 1 - one.keptPairs / one.densePairs)),
  };
}

/** Nats per token. */
function lossOf({ logLikelihood, scoredTokens }: PrefillReport): number {
  return -logLikelihood / scoredTokens;
}

async function score(source: PerplexitySource, text: Uint32Array, mode: EvalMode): Promise<PrefillReport> {
  const { engine, patterns, recallFloor, signal } = source;
  const scoreFrom = text.length - Math.min(mostScored, Math.floor(text.length / 2));
  const settings = { mode, patterns: mode === "sparse" ? patterns : null, recallFloor, scoreFrom };
  const { kv, report } = await engine.prefill(null, text, {
    chunkTokens,
    settings,
    signal,
    onProgress: () => undefined,
  });
  await engine.release(kv);
  return report;
}

/** Texts of `tokens` tokens each. Throws `invalid-argument` when there is not one. */
async function readTexts(source: PerplexitySource, tokens: number): Promise<Uint32Array[]> {
  const { text, samples } = source.options;
  const texts = text === undefined ? await heldOutTexts(source, tokens) : await userTexts(source, text, tokens);
  if (texts.length > 0) return texts.slice(0, samples);
  const where = text ?? "the held-out packages";
  throw new Failure("invalid-argument", `No text of ${tokens.toLocaleString("en-US")} tokens in ${where}.`);
}

/** Packed as the product packs repositories: one text from each package that is long enough. */
async function heldOutTexts({ root, model, options }: PerplexitySource, tokens: number): Promise<Uint32Array[]> {
  const texts: Uint32Array[] = [];
  for (const heldOut of heldOutPackages) {
    const files = await drawFiles(root, heldOut, 2 * tokens, new Random(options.seed));
    const packed = await withFolder(files, async (folder) =>
      packRepository(await scanRepository(folder), model, { budgetTokens: Number.MAX_SAFE_INTEGER }),
    );
    if (packed.tokens.length >= tokens) texts.push(packed.tokens.slice(0, tokens));
  }
  return texts;
}

/** A file, or the files of a folder one after the other, cut into texts. */
async function userTexts({ model, options }: PerplexitySource, place: string, tokens: number): Promise<Uint32Array[]> {
  const texts: Uint32Array[] = [];
  for (const file of await textFiles(place)) {
    const [ids = new Uint32Array()] = await model.tokenizer.encodeContents([await readFile(file, "utf8")]);
    for (let at = 0; at + tokens <= ids.length && texts.length < options.samples; at += tokens) {
      texts.push(ids.slice(at, at + tokens));
    }
  }
  return texts;
}

async function textFiles(place: string): Promise<string[]> {
  const found = await stat(place).catch(() => null);
  if (found === null) throw new Failure("no-such-folder", `There is no text at ${place}.`);
  if (found.isFile()) return [place];
  const entries = await readdir(place, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

const header = ["perplexity at", "texts", "dense", "sparse", "difference in nats (95 %)", "recall", "skipped"];

export function perplexityTable(rows: readonly PerplexityRow[]): string {
  const number = (value: number | null | undefined, digits: number): string => value?.toFixed(digits) ?? "";
  const lines = rows.map(({ tokens, texts, perplexity, difference, recall, sparsity }) => [
    tokens.toLocaleString("en-US"),
    String(texts),
    number(perplexity.dense, 3),
    number(perplexity.sparse, 3),
    difference === null
      ? ""
      : `${number(difference.mean, 4)} (${number(difference.interval.low, 4)} to ${number(difference.interval.high, 4)})`,
    number(recall, 3),
    sparsity === null ? "" : number(100 * sparsity, 1),
  ]);
  return `${[header, header.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}
