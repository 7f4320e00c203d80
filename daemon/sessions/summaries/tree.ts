/** The folders and files of a context as a tree, in the order of their paths. */
import type { PackedFile } from "../../prompt/index.ts";

export interface FileLeaf {
  readonly kind: "file";
  readonly path: string;
  readonly file: PackedFile;
}

export interface FolderBranch {
  readonly kind: "folder" | "repository";
  /** With `/` at its end; "" is the repository. */
  readonly path: string;
  readonly children: readonly TreeNode[];
  /** Files in it and below. */
  readonly fileCount: number;
}

export type TreeNode = FileLeaf | FolderBranch;

/** The part of the tree at `path` ("": all of it); null when nothing of the context is there. */
export function treeOf(files: readonly PackedFile[], path: string): TreeNode | null {
  const wanted = path.endsWith("/") ? path.slice(0, -1) : path;
  const file = files.find((one) => one.path === wanted);
  if (file) return { kind: "file", path: file.path, file };
  const folder = wanted === "" ? "" : `${wanted}/`;
  const below = files
    .filter((one) => one.path.startsWith(folder))
    .sort((first, second) => (first.path < second.path ? -1 : 1));
  return below.length > 0 ? branch(folder, below) : null;
}

/** @param files all below the folder, in the order of their paths */
function branch(folder: string, files: readonly PackedFile[]): FolderBranch {
  const children: TreeNode[] = [];
  for (let at = 0; at < files.length;) {
    const file = files[at];
    if (!file) break;
    const slash = file.path.indexOf("/", folder.length);
    if (slash === -1) {
      children.push({ kind: "file", path: file.path, file });
      at += 1;
      continue;
    }
    const inner = file.path.slice(0, slash + 1);
    let end = at;
    while (files[end]?.path.startsWith(inner)) end += 1;
    children.push(branch(inner, files.slice(at, end)));
    at = end;
  }
  return { kind: folder === "" ? "repository" : "folder", path: folder, children, fileCount: files.length };
}

export function filesIn(node: TreeNode): number {
  return node.kind === "file" ? 1 : node.fileCount;
}
