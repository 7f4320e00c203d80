import { existsSync } from "node:fs";
import path from "node:path";

/** `repo` made absolute; without it, the git repository around `cwd`, else `cwd` itself. */
export function repositoryRoot(repo: string | undefined, cwd: string): string {
  if (repo !== undefined) return path.resolve(cwd, repo);
  for (let folder = cwd; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, ".git"))) return folder;
    if (folder === path.dirname(folder)) return cwd;
  }
}
