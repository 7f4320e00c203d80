/** The lists `exclude` and `include` of a request, as checkboxes change them. */
import type { FileChoice } from "../../daemon/protocol/context.ts";

export interface Choice {
  /** Relative to the root; a folder ends with `/`. */
  readonly path: string;
  readonly wanted: boolean;
}

/**
 * The lists after a choice. A folder's choice covers all below it, so older ones there go; and what its nearest folder with
 * a choice (or nothing) makes of it anyway needs no entry of its own, except that wanting something that the rules leave
 * out does.
 */
export function choose(lists: Required<FileChoice>, { path, wanted }: Choice): Required<FileChoice> {
  const outside = (other: string): boolean => other !== path && !(path.endsWith("/") && other.startsWith(path));
  const exclude = lists.exclude.filter(outside);
  const include = lists.include.filter(outside);
  if (!wanted) return { exclude: [...exclude, path].sort(), include };
  const tookBack = exclude.length < lists.exclude.length;
  const excludedAbove = exclude.some((other) => other.endsWith("/") && path.startsWith(other));
  // Taking back exclusions, its own or those below it, restores what the rules say; only then nothing needs to be wanted.
  if (tookBack && !excludedAbove) return { exclude, include };
  return { exclude, include: [...include, path].sort() };
}

export function isFileChoice(value: unknown): value is Required<FileChoice> {
  if (typeof value !== "object" || value === null || !("exclude" in value) || !("include" in value)) return false;
  const isList = (list: unknown): boolean => Array.isArray(list) && list.every((entry) => typeof entry === "string");
  return isList(value.exclude) && isList(value.include);
}
