import type { FileChoice } from "../protocol/context.ts";
import { parentFolders } from "./listing.ts";

/** A person's say on single files and folders: the longest entry that names a path decides, and of two equal ones `exclude`. */
export class ChosenFiles {
  /** Without a slash at the end. */
  readonly #excluded: ReadonlySet<string>;
  readonly #included: ReadonlySet<string>;
  /** Equal for two choices that decide alike, whatever their order. */
  readonly identity: string;

  constructor({ exclude = [], include = [] }: FileChoice = {}) {
    this.#excluded = new Set(exclude.map(withoutSlash));
    this.#included = new Set(include.map(withoutSlash));
    this.identity = JSON.stringify([[...this.#excluded].sort(), [...this.#included].sort()]);
  }

  /** The entry that takes the path out, as a listing names it: a folder ends with a slash; null when none does. */
  excludedAt(path: string): string | null {
    const found = this.#decide(path);
    if (found?.verdict !== "exclude") return null;
    return found.entry === path ? path : `${found.entry}/`;
  }

  isIncluded(path: string): boolean {
    return this.#decide(path)?.verdict === "include";
  }

  verdict(path: string): "exclude" | "include" | null {
    return this.#decide(path)?.verdict ?? null;
  }

  /** Whether the folder, or anything above or below it, is wanted: it must be listed then, whatever its name. */
  reaches(folder: string): boolean {
    if (this.isIncluded(folder)) return true;
    return [...this.#included].some((entry) => entry.startsWith(folder));
  }

  #decide(path: string): { verdict: "exclude" | "include"; entry: string } | null {
    if (this.#excluded.size === 0 && this.#included.size === 0) return null;
    for (const part of [path, ...parentFolders(path).reverse()]) {
      const entry = withoutSlash(part);
      if (this.#excluded.has(entry)) return { verdict: "exclude", entry };
      if (this.#included.has(entry)) return { verdict: "include", entry };
    }
    return null;
  }
}

function withoutSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
