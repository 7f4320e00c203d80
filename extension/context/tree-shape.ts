/** The files of a context and what was left out, as one tree of folders with sums. */
import type { ContextFile, LeftOut } from "../../daemon/protocol/context.ts";

export interface FileNode {
  readonly kind: "file";
  readonly path: string;
  readonly name: string;
  readonly file: ContextFile;
}

/** A file that is not in the context, or a folder that was not looked into. */
export interface OutNode {
  readonly kind: "out";
  readonly path: string;
  readonly name: string;
  readonly leftOut: LeftOut;
}

export interface FolderNode {
  readonly kind: "folder";
  /** Ends with `/`; the root's is "". */
  readonly path: string;
  readonly name: string;
  readonly children: readonly ContextNode[];
  /** Sums over all that is below. */
  readonly tokens: number;
  readonly files: number;
  readonly leftOut: number;
}

export type ContextNode = FileNode | OutNode | FolderNode;

interface Draft {
  readonly folders: Map<string, Draft>;
  readonly leaves: (FileNode | OutNode)[];
}

/** Folders come first, then files, each by name. */
export function shapeTree(files: readonly ContextFile[], leftOut: readonly LeftOut[]): FolderNode {
  const root: Draft = { folders: new Map(), leaves: [] };
  for (const file of files) {
    place(root, file.path, (name) => ({ kind: "file", path: file.path, name, file }));
  }
  for (const entry of leftOut) {
    place(root, entry.path, (name) => ({ kind: "out", path: entry.path, name, leftOut: entry }));
  }
  return finish(root, "", "");
}

function place(root: Draft, path: string, leaf: (name: string) => FileNode | OutNode): void {
  const parts = path.replace(/\/$/, "").split("/");
  let draft = root;
  for (const part of parts.slice(0, -1)) {
    let next = draft.folders.get(part);
    if (!next) {
      next = { folders: new Map(), leaves: [] };
      draft.folders.set(part, next);
    }
    draft = next;
  }
  draft.leaves.push(leaf(parts.at(-1) ?? path));
}

function finish(draft: Draft, path: string, name: string): FolderNode {
  const byName = (a: ContextNode, b: ContextNode): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const folders = [...draft.folders].map(([child, inner]) => finish(inner, `${path}${child}/`, child));
  const leaves = draft.leaves.sort(byName);
  // A folder that was left out stands where it would stand.
  const outFolders = leaves.filter((leaf) => leaf.path.endsWith("/"));
  const inside = leaves.filter((leaf) => leaf.kind === "file");
  const outside = leaves.filter((leaf) => leaf.kind === "out");
  const sum = (own: number, of: (folder: FolderNode) => number): number =>
    folders.reduce((total, folder) => total + of(folder), own);
  return {
    kind: "folder",
    path,
    name,
    children: [...[...folders, ...outFolders].sort(byName), ...leaves.filter((leaf) => !leaf.path.endsWith("/"))],
    tokens: sum(
      inside.reduce((total, { file }) => total + file.tokens, 0),
      ({ tokens }) => tokens,
    ),
    files: sum(inside.length, ({ files }) => files),
    leftOut: sum(
      outside.reduce((total, { leftOut: entry }) => total + entry.fileCount, 0),
      (folder) => folder.leftOut,
    ),
  };
}

/** What a checkbox may bring in; the other reasons stand whatever a person wants. */
const includable = new Set(["excluded", "budget", "generated", "vendored"]);

export function canInclude({ reason }: LeftOut): boolean {
  return includable.has(reason);
}
