/** What became different between the files whose KV is held and the files as they are. */
import type { PackedRepository } from "../prompt/index.ts";
import type { ContextChange, ContextChanges } from "../protocol/context.ts";
import { limits } from "../protocol/limits.ts";
import type { ChosenFiles, RepositoryScan } from "../repository/index.ts";

/** What the held KV was computed from. */
export interface PackBasis {
  readonly pack: PackedRepository;
  /** Every file of that scan, also those that did not fit. */
  readonly scan: RepositoryScan;
  readonly choice: ChosenFiles;
}

/**
 * A file that did not fit and was edited changes nothing, and what a person has taken out or in since is no change of the
 * repository: neither counts.
 */
export function changesSince(basis: PackBasis, scan: RepositoryScan, choice: ChosenFiles): ContextChange[] {
  const packed = new Map(basis.pack.files.map(({ path, hash }) => [path, hash]));
  const known = new Set(basis.scan.files.map(({ path }) => path));
  const isChosenAnew = (path: string): boolean => choice.verdict(path) !== basis.choice.verdict(path);
  const changes: ContextChange[] = [];
  for (const { path, hash } of scan.files) {
    const before = packed.get(path);
    packed.delete(path);
    if (before === undefined) {
      if (!known.has(path) && !isChosenAnew(path)) changes.push({ path, change: "added" });
    } else if (before !== hash) {
      changes.push({ path, change: "edited" });
    }
  }
  for (const path of packed.keys()) {
    if (!isChosenAnew(path)) changes.push({ path, change: "removed" });
  }
  return changes.sort((first, second) => (first.path < second.path ? -1 : 1));
}

/** As a client sees them. */
export function listChanges(held: boolean, changes: readonly ContextChange[]): ContextChanges {
  return { held, files: changes.slice(0, limits.maxChangesListed), count: changes.length };
}
