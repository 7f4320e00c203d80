/** The candidates of a search, from its report: a comparison uses their sizes, so that the file and they cost the same. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { ModelInfo } from "../engine/engine.ts";
import { type Candidate, patternNames } from "./candidates.ts";

/** Null when no report of that device, length and budget lies beside the pattern file: sizes must then be measured. */
export async function reportedCandidates(
  patterns: string,
  { deviceName, instructionSet }: ModelInfo,
  length: number,
  keys: number,
): Promise<Candidate[] | null> {
  const { dir, name } = path.parse(patterns);
  const text = await readFile(path.join(dir, `${name}.report.json`), "utf8").catch(() => null);
  if (text === null) return null;
  const report: unknown = JSON.parse(text);
  if (!isFields(report) || report["lengthTokens"] !== length || report["budgetKeys"] !== keys) return null;
  const machine: unknown = report["machine"];
  if (!isFields(machine) || machine["deviceName"] !== deviceName || machine["instructionSet"] !== instructionSet) {
    return null;
  }
  const rows: unknown = report["candidates"];
  if (!Array.isArray(rows) || rows.length === 0) return null;
  const candidates = rows.map(readCandidate);
  return candidates.includes(null) ? null : candidates.filter((candidate) => candidate !== null);
}

function readCandidate(row: unknown): Candidate | null {
  if (!isFields(row)) return null;
  const { label, a, b } = row;
  const name = patternNames.find((one) => one === row["name"]);
  if (typeof label !== "string" || typeof a !== "number" || typeof b !== "number" || name === undefined) return null;
  return { label, name, a, b };
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
