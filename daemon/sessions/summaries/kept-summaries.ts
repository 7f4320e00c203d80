/** Finished summaries by what they were made from. What is lost is asked again; what is there is right. */
import { createHash } from "node:crypto";
import type { SummaryStatement } from "../../protocol/summarize.ts";
import { readKeptFile, writeKeptFile } from "./kept-file.ts";

/** A statement has some hundred bytes: enough for many repositories, and little to hold. */
const maxEntries = 50_000;
/** The file is written at most so often while a summary is made. */
const saveIntervalMs = 2000;

/** What a change of the questions or of the way from answers to statements makes worthless. */
const format = 1;

export class KeptSummaries {
  /** Null: memory only. */
  readonly #directory: string | null;
  /** Least recently used first. */
  readonly #entries: Map<string, readonly SummaryStatement[]>;
  #isSaved = true;
  #savedAt = 0;

  private constructor(directory: string | null, entries: Map<string, readonly SummaryStatement[]>) {
    this.#directory = directory;
    this.#entries = entries;
  }

  static async open(directory: string | null): Promise<KeptSummaries> {
    const nothing = new Map<string, readonly SummaryStatement[]>();
    return new KeptSummaries(directory, directory === null ? nothing : await readKeptFile(directory));
  }

  static key(parts: readonly string[]): string {
    return createHash("sha256")
      .update(JSON.stringify([format, ...parts]))
      .digest("hex");
  }

  get(key: string): readonly SummaryStatement[] | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  /** Kept on disk soon, and at the latest with the next `save`. */
  async set(key: string, statements: readonly SummaryStatement[]): Promise<void> {
    this.#entries.delete(key);
    this.#entries.set(key, statements);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries) break;
      this.#entries.delete(oldest);
    }
    this.#isSaved = false;
    if (Date.now() - this.#savedAt >= saveIntervalMs) await this.save();
  }

  /** A full or read-only disk costs the next process some time, and nothing else. */
  async save(): Promise<void> {
    if (this.#directory === null || this.#isSaved) return;
    this.#isSaved = true;
    this.#savedAt = Date.now();
    await writeKeptFile(this.#directory, this.#entries).catch(() => undefined);
  }
}
