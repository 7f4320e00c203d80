import type { ScannedFile } from "./scan-types.ts";

/**
 * The order of the files in the prompt.
 *
 * A change to a file makes the KV state of all that follows worthless, so `scan.files` come with the rarely changed first
 * and the recently edited last. When an earlier order is known, its longest run of files that are still the same, from the
 * start, is kept as it is; everything behind the first difference must be computed again in any case, and so is free to
 * take its place in the fresh order. Re-sorting therefore never costs prefill.
 *
 * @param files in the fresh order, as a scan gives them
 * @param previous the files of the last pack, in its order
 */
export function orderFiles(
  files: readonly ScannedFile[],
  previous: readonly { readonly path: string; readonly hash: string }[] = [],
): ScannedFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const ordered: ScannedFile[] = [];
  for (const { path, hash } of previous) {
    const file = byPath.get(path);
    if (file?.hash !== hash) break;
    ordered.push(file);
    byPath.delete(path);
  }
  // A Map keeps insertion order, so the rest stays in the fresh order.
  return [...ordered, ...byPath.values()];
}
