import type { RepositoryScan, ScanOptions } from "./scan-types.ts";
import { scanRepository } from "./scan.ts";

export interface RepositoryChanges {
  readonly changed: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** changed + added + removed */
  readonly count: number;
  /** The repository as it is now. */
  readonly scan: RepositoryScan;
}

/**
 * What became different since `scan`: the files are listed and their sizes and times compared, and only those that moved
 * are read and hashed again.
 */
export async function changedSince(
  scan: RepositoryScan,
  options: Omit<ScanOptions, "previous"> = {},
): Promise<RepositoryChanges> {
  const now = await scanRepository(scan.root, { ...options, previous: scan });
  const before = new Map(scan.files.map((file) => [file.path, file.hash]));
  const changed: string[] = [];
  const added: string[] = [];
  for (const file of now.files) {
    const hash = before.get(file.path);
    if (hash === undefined) added.push(file.path);
    else if (hash !== file.hash) changed.push(file.path);
    before.delete(file.path);
  }
  const removed = [...before.keys()];
  return { changed, added, removed, count: changed.length + added.length + removed.length, scan: now };
}
