import { Failure } from "../failure/failure.ts";
import type { LeftOut } from "./left-out.ts";

/** One path that a listing names, before anything of it is read. */
export interface ListedPath {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly kind: "file" | "link" | "submodule" | "not-a-file";
  /** The blob in git's index (hex); absent for untracked files and without git. */
  readonly objectId?: string;
}

export interface Listing {
  readonly source: "git" | "folder";
  /** In path order, each path once. */
  readonly paths: readonly ListedPath[];
  /** Folders and files that ignore files other than git's own exclude. */
  readonly excluded: readonly LeftOut[];
  /** What .gitignore and kin hide; a hidden folder counts once. */
  readonly ignoredCount: number;
}

/** By UTF-16 code unit: the same order on every machine, whatever its locale. */
export function comparePaths(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The folders above a path, outermost first, each with a trailing slash: "a/b/c" gives "a/", "a/b/". */
export function parentFolders(path: string): string[] {
  const folders: string[] = [];
  for (let slash = path.indexOf("/"); slash !== -1 && slash < path.length - 1; slash = path.indexOf("/", slash + 1)) {
    folders.push(path.slice(0, slash + 1));
  }
  return folders;
}

export function tooManyFiles(root: string, maxFiles: number): Failure {
  const count = maxFiles.toLocaleString("en-US");
  return new Failure("over-budget", `${root} holds more than ${count} files: ask about a folder inside it.`);
}
