/** How one request sees a repository: what a person took out or wants in, and which files an editor holds unsaved. */
import path from "node:path";
import type { FileChoice } from "../protocol/context.ts";
import { ChosenFiles, normalizeText, readSourceText } from "../repository/index.ts";

export interface RepositoryView {
  readonly choice: ChosenFiles;
  /** Relative path to text; only buffers that differ from their files. */
  readonly overlays: ReadonlyMap<string, string>;
}

/** What a connection's editor holds open: absolute path to text. */
export type OpenDocuments = ReadonlyMap<string, string>;

/**
 * @param root absolute, links resolved
 * @param asked the same folder as the client named it: documents may be named through a link, too
 */
export async function viewRepository(
  root: string,
  asked: string,
  choice: FileChoice,
  documents: OpenDocuments,
): Promise<RepositoryView> {
  const overlays = new Map<string, string>();
  for (const [file, text] of documents) {
    const inside = relativeTo(root, file) ?? relativeTo(asked, file);
    if (inside === null) continue;
    // An open file without edits is no reason to move it behind all others.
    const saved = await readSourceText(root, inside);
    if (saved?.text !== normalizeText(text)) overlays.set(inside, text);
  }
  return { choice: new ChosenFiles(choice), overlays };
}

/** With forward slashes; null when the file is not below the folder. */
function relativeTo(folder: string, file: string): string | null {
  const relative = path.relative(folder, file);
  if (relative === "" || relative.startsWith("..") || path.isAbsolute(relative)) return null;
  return relative.split(path.sep).join("/");
}
