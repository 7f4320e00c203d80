/** A request's choice of prefill, with defaults and the pattern file found: what the engine is told, and what tells KV apart. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Failure } from "../failure/failure.ts";
import type { PrefillSettings } from "../engine/engine.ts";
import type { PrefillChoice } from "../protocol/prefill.ts";
import { chunkTokens } from "./prefill.ts";

/** The name of a model's own head-pattern file, in its folder. */
const modelPatterns = "head-patterns.json";

export interface ResolvedPrefill {
  readonly settings: PrefillSettings;
  /** Equal for two prefills only if they compute the same KV; the pattern file counts by its content. */
  readonly identity: string;
}

/** Throws `invalid-argument` when the named pattern file cannot be read. What it says is checked by the engine. */
export async function resolvePrefill(choice: PrefillChoice, modelDir: string): Promise<ResolvedPrefill> {
  const mode = choice.prefill ?? "auto";
  if (mode === "dense") return { settings: { mode, patterns: null, recallFloor: null }, identity: "dense" };
  const recallFloor = choice.recallFloor ?? null;
  const file = choice.patterns ?? path.join(modelDir, modelPatterns);
  const content = await readFile(file).catch((error: unknown) => {
    if (choice.patterns === undefined) return null; // a model without patterns of its own
    throw new Failure("invalid-argument", `The head-pattern file ${file} cannot be read.`, { cause: error });
  });
  const hash = content === null ? "" : createHash("sha256").update(content).digest("hex");
  return {
    settings: { mode, patterns: content === null ? null : file, recallFloor },
    identity: JSON.stringify([mode, hash, recallFloor, chunkTokens]),
  };
}
