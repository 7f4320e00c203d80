import { isUtf8 } from "node:buffer";
import { contentHash } from "./file-verdict.ts";
import { openBelow, readOpened } from "./safe-open.ts";

/** A file's text with the hash that goes with it. */
export interface SourceText {
  /** Line ends are all "\n"; no byte order mark. */
  readonly text: string;
  /** As in `ScannedFile.hash`: of the content before line ends were made equal. */
  readonly hash: string;
}

/** Far above what a scan lets in, so that a file that grew since is still compared. */
const maxBytes = 16 << 20;

/**
 * @param root absolute, links resolved
 * @param overlays unsaved buffers of an editor, which stand in for the file
 * @returns null when the file is gone, is not a regular file below the root any more, or is no valid UTF-8
 */
export async function readSourceText(
  root: string,
  path: string,
  overlays?: ReadonlyMap<string, string>,
): Promise<SourceText | null> {
  const overlay = overlays?.get(path);
  if (overlay !== undefined) return { text: normalizeText(overlay), hash: contentHash(overlay) };
  const opened = await openBelow(root, path);
  if (opened.kind !== "opened") return null;
  try {
    const bytes = await readOpened(opened, maxBytes);
    return bytes.length <= maxBytes && isUtf8(bytes)
      ? { text: normalizeText(bytes.toString("utf8")), hash: contentHash(bytes) }
      : null;
  } catch {
    return null;
  } finally {
    await opened.handle.close();
  }
}

/** Lines are counted as editors count them: "\r\n", "\n" and a lone "\r" each end one. */
export function normalizeText(text: string): string {
  return text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
}
