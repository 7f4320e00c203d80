/** Finished texts of a search that may be stopped, beside its output. Kept only for the very same search. */
import { createHash } from "node:crypto";
import { open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CandidateScore, PatternScores } from "../engine/engine.ts";

export type TextKind = "code" | "retrieval";

export interface FinishedText {
  readonly kind: TextKind;
  readonly name: string;
  readonly tokens: number;
  readonly scores: PatternScores;
}

export class StateFile {
  readonly #path: string;
  readonly #key: string;
  /** Of the candidates that costs are measured with. */
  measured: PatternScores | null = null;
  readonly texts: FinishedText[] = [];

  private constructor(file: string, key: string) {
    this.#path = file;
    this.#key = key;
  }

  /** What `file` holds for this key; nothing when it is absent, of another search, or damaged. */
  static async open(file: string, key: string): Promise<StateFile> {
    const state = new StateFile(file, key);
    const text = await readFile(file, "utf8").catch(() => null);
    const known = text === null ? null : parseState(text);
    if (known?.key === key) {
      state.measured = known.measured;
      state.texts.push(...known.texts);
    }
    return state;
  }

  find(kind: TextKind, name: string): FinishedText | undefined {
    return this.texts.find((text) => text.kind === kind && text.name === name);
  }

  async save(): Promise<void> {
    const content = { key: this.#key, measured: this.measured, texts: this.texts };
    const plain = JSON.stringify(content, (_name, value: unknown) =>
      value instanceof Float64Array ? [...value] : value,
    );
    // A search that is killed while it writes must not lose what it had.
    await writeFile(`${this.#path}.new`, plain);
    await rename(`${this.#path}.new`, this.#path);
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

const sampleBytes = 1 << 20;

/**
 * Tells models apart: the configuration and, of each weights file, its name, its length and both its ends. Training changes all
 * weights, so the middle of many gigabytes need not be read.
 */
export async function modelDigest(modelDir: string): Promise<string> {
  const hash = createHash("sha256");
  hash.update(await readFile(path.join(modelDir, "config.json")));
  const names = (await readdir(modelDir)).filter((name) => name.endsWith(".safetensors")).sort();
  for (const name of names) {
    const file = await open(path.join(modelDir, name));
    try {
      const { size } = await file.stat();
      hash.update(JSON.stringify([name, size]));
      for (const position of [0, Math.max(0, size - sampleBytes)]) {
        const sample = Buffer.alloc(Math.min(sampleBytes, size));
        const { bytesRead } = await file.read(sample, 0, sample.length, position);
        hash.update(sample.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
  return hash.digest("hex");
}

interface State {
  readonly key: string;
  readonly measured: PatternScores | null;
  readonly texts: readonly FinishedText[];
}

function parseState(text: string): State | null {
  try {
    const state = fieldsOf(JSON.parse(text));
    const { key, measured, texts } = state;
    if (typeof key !== "string" || !Array.isArray(texts)) return null;
    return { key, measured: measured === null ? null : readScores(measured), texts: texts.map(readText) };
  } catch {
    return null; // the search begins anew
  }
}

function readText(value: unknown): FinishedText {
  const { kind, name, tokens, scores } = fieldsOf(value);
  if ((kind !== "code" && kind !== "retrieval") || typeof name !== "string") throw new TypeError("no finished text");
  return { kind, name, tokens: numberOf(tokens), scores: readScores(scores) };
}

function readScores(value: unknown): PatternScores {
  const { layers, chunks, rows, candidates } = fieldsOf(value);
  return {
    layers: listOf(layers).map(numberOf),
    chunks: numberOf(chunks),
    rows: numberOf(rows),
    candidates: listOf(candidates).map((candidate): CandidateScore => {
      const { attentionMs, indexMs, pairs, error, recall, keys } = fieldsOf(candidate);
      const numbers = (list: unknown): Float64Array => Float64Array.from(listOf(list).map(numberOf));
      return {
        attentionMs: numberOf(attentionMs),
        indexMs: numberOf(indexMs),
        pairs: numberOf(pairs),
        error: numbers(error),
        recall: numbers(recall),
        keys: numbers(keys),
      };
    }),
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new TypeError("no object");
  return Object.fromEntries(Object.entries(value));
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError("no list");
  return value;
}

function numberOf(value: unknown): number {
  if (typeof value !== "number") throw new TypeError("no number");
  return value;
}
