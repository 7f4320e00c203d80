/** What a search found, for people and for programs. */
import type { ModelInfo } from "../engine/engine.ts";
import { mean } from "../eval/statistics.ts";
import { patternNames } from "./candidates.ts";
import { bestSingles, type CandidateMeans, type HeadWinner } from "./choose.ts";
import type { HeadPattern, PatternName } from "./head-pattern-file.ts";
import type { SearchOptions } from "./options.ts";
import type { SearchResult } from "./search.ts";

export interface CandidateRow extends HeadPattern {
  readonly label: string;
  readonly error: number;
  readonly recall: number;
  readonly keysPerRow: number;
  readonly attentionNsPerRow: number;
  readonly indexNsPerRow: number;
  /** Heads that it won. */
  readonly heads: number;
}

export interface LayerRow {
  readonly layer: number;
  readonly error: number;
  readonly recall: number;
  readonly keysPerRow: number;
  readonly heads: readonly (HeadPattern & { readonly head: number; readonly error: number; readonly recall: number })[];
}

export interface SearchReport {
  readonly model: string;
  readonly modelDigest: string;
  readonly machine: Pick<ModelInfo, "device" | "deviceName" | "instructionSet" | "threads">;
  readonly lengthTokens: number;
  readonly budgetKeys: number;
  readonly seed: number;
  readonly texts: readonly { readonly kind: string; readonly name: string; readonly tokens: number }[];
  readonly nsPerPair: Readonly<Record<PatternName, number>>;
  /** What every candidate was brought to: a row of a head, estimate and choice of lines included. */
  readonly nsPerRow: number;
  /** Heads of each pattern, as a share of all that were searched. */
  readonly shares: Readonly<Record<PatternName, number>>;
  /** Means over heads and texts: of the winners, and of the best candidate of each pattern when all heads have it. */
  readonly found: { readonly error: number; readonly recall: number; readonly keysPerRow: number };
  readonly bestSingles: readonly CandidateRow[];
  readonly candidates: readonly CandidateRow[];
  readonly layers: readonly LayerRow[];
}

export function makeReport(
  modelName: string,
  info: ModelInfo,
  options: SearchOptions,
  { digest, keys, costs, texts, means, winners }: SearchResult,
): SearchReport {
  const row = (one: CandidateMeans): CandidateRow => toRow(one, winners);
  return {
    model: modelName,
    modelDigest: digest,
    machine: {
      device: info.device,
      deviceName: info.deviceName,
      instructionSet: info.instructionSet,
      threads: info.threads,
    },
    lengthTokens: options.length,
    budgetKeys: keys,
    seed: options.seed,
    texts: texts.map(({ kind, name, tokens }) => ({ kind, name, tokens })),
    nsPerPair: perName((name) => digits(costs.nsPerPair[name], 3)),
    nsPerRow: Math.round(costs.nsPerRow),
    shares: perName((name) =>
      digits(winners.filter(({ candidate }) => candidate.name === name).length / Math.max(1, winners.length), 3),
    ),
    found: {
      error: digits(mean(winners.map(({ error }) => error)), 4),
      recall: digits(mean(winners.map(({ recall }) => recall)), 4),
      keysPerRow: Math.round(mean(winners.map(({ keys: each }) => each))),
    },
    bestSingles: bestSingles(means).map(row),
    candidates: means.map(row),
    layers: [...new Set(winners.map(({ layer }) => layer))].map((layer) => toLayer(layer, winners)),
  };
}

export function toRow({ candidate, ...of }: CandidateMeans, winners: readonly HeadWinner[]): CandidateRow {
  return {
    ...candidate,
    error: digits(mean(of.error), 4),
    recall: digits(mean(of.recall), 4),
    keysPerRow: Math.round(mean(of.keys)),
    attentionNsPerRow: Math.round(of.attentionNsPerRow),
    indexNsPerRow: Math.round(of.indexNsPerRow),
    heads: winners.filter((winner) => winner.candidate.label === candidate.label).length,
  };
}

function toLayer(layer: number, winners: readonly HeadWinner[]): LayerRow {
  const heads = winners.filter((winner) => winner.layer === layer);
  return {
    layer,
    error: digits(mean(heads.map(({ error }) => error)), 4),
    recall: digits(mean(heads.map(({ recall }) => recall)), 4),
    keysPerRow: Math.round(mean(heads.map(({ keys }) => keys))),
    heads: heads.map(({ head, candidate: { name, a, b }, error, recall }) => ({
      head,
      name,
      a,
      b,
      error: digits(error, 4),
      recall: digits(recall, 4),
    })),
  };
}

export function toMarkdown(report: SearchReport): string {
  const { machine, found, layers } = report;
  const share = patternNames.map((name) => `${name} ${(100 * report.shares[name]).toFixed(0)} %`).join(", ");
  return [
    `# Head patterns of ${report.model}`,
    "",
    `${String(report.texts.length)} texts of up to ${report.lengthTokens.toLocaleString("en-US")} tokens; a budget of ` +
      `${String(report.budgetKeys)} keys per row; ${machineText(machine)}. ` +
      `Heads: ${share}. Mean error of the output ${found.error.toFixed(4)}, attention kept ` +
      `${(100 * found.recall).toFixed(1)} %.`,
    "",
    "## Candidates, when every head has the same one",
    "",
    table(
      ["candidate", "pattern", "error", "recall", "keys per row", "attention ns", "index ns", "heads won"],
      report.candidates.map((row) => [
        row.label,
        patternText(row),
        row.error.toFixed(4),
        row.recall.toFixed(4),
        String(row.keysPerRow),
        String(row.attentionNsPerRow),
        String(row.indexNsPerRow),
        String(row.heads),
      ]),
    ),
    "",
    "Nanoseconds are per row of a head, on the machine above while it searched.",
    "",
    "## Layers",
    "",
    table(
      ["layer", "error", "recall", "keys per row", "heads"],
      layers.map((row) => [
        String(row.layer),
        row.error.toFixed(4),
        row.recall.toFixed(4),
        String(row.keysPerRow),
        row.heads.map((head) => `${String(head.head)}: ${patternText(head)}`).join("; "),
      ]),
    ),
    "",
    "## Texts",
    "",
    ...report.texts.map(({ kind, name, tokens }) => `- ${kind}: ${name}, ${tokens.toLocaleString("en-US")} tokens`),
    "",
  ].join("\n");
}

function machineText({ device, deviceName, instructionSet, threads }: SearchReport["machine"]): string {
  if (deviceName === "") return `${device} ${instructionSet}, ${String(threads)} threads`;
  return `${device} ${deviceName} (${instructionSet})`;
}

export function patternText({ name, a, b }: HeadPattern): string {
  return name === "block_sparse" ? `${name} ${String(a)}` : `${name} ${String(a)}, ${String(b)}`;
}

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

export function digits(value: number, count: number): number {
  return Number(value.toFixed(count));
}

function perName(read: (name: PatternName) => number): Readonly<Record<PatternName, number>> {
  return {
    stream_llm: read("stream_llm"),
    vertical_and_slash: read("vertical_and_slash"),
    block_sparse: read("block_sparse"),
  };
}
