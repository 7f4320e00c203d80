/** A file's text with the hash that goes with it. */
export interface SourceText {
  readonly text: string;
  readonly hash: string;
}

/** @returns null when the file is gone, is not a regular file below the root any more, or is no valid UTF-8 */
export async function readSourceText(
  root: string,
  path: string,
  overlays?: ReadonlyMap<string, string>,
): Promise<SourceText | null> {
  throw new Error(`not yet: ${root} ${path} ${String(overlays)}`);
}
