import { isBinaryName } from "./binary.ts";
import { generatedByName } from "./generated.ts";
import type { IgnoreRules } from "./ignore-rules.ts";
import type { LeftOutReason } from "./left-out.ts";
import type { ListedPath } from "./listing.ts";
import { isSecretName } from "./secret-names.ts";
import {
  builtDetail,
  builtFolderOf,
  cacheDetail,
  cacheFolderOf,
  vendoredDetail,
  vendoredFolderOf,
} from "./vendored.ts";

export interface PathRefusal {
  /** The path, or the folder that is left out as a whole. */
  readonly path: string;
  readonly reason: LeftOutReason;
  readonly detail: string;
}

/** What a path alone says against its file; null when it must be read to be judged. */
export function refuseByPath(entry: ListedPath, rules: IgnoreRules): PathRefusal | null {
  const { path, kind } = entry;
  if (kind === "link") return { path, reason: "link", detail: "links are not followed" };
  if (kind === "submodule")
    return { path, reason: "submodule", detail: "a repository of its own: ask it by its folder" };
  if (kind === "not-a-file") return { path, reason: "not-a-file", detail: "a device, pipe or socket" };
  // U+FFFD stands where the name's bytes were no text, so the file cannot be found under this name.
  if (path.includes("\uFFFD")) return { path, reason: "unreadable", detail: "its name is not valid UTF-8" };
  if (isSecretName(path)) return { path, reason: "secret", detail: "files of this name hold keys" };
  const broughtBack = rules.isBroughtBack(path);
  if (!broughtBack) {
    const vendored = vendoredFolderOf(path);
    if (vendored !== undefined) return { path: vendored, reason: "vendored", detail: vendoredDetail };
    const cache = cacheFolderOf(path);
    if (cache !== undefined) return { path: cache, reason: "generated", detail: cacheDetail };
  }
  if (isBinaryName(path)) return { path, reason: "binary", detail: "by its ending" };
  const generated = broughtBack ? null : generatedByName(path);
  return generated === null ? null : { path, reason: "generated", detail: generated };
}

/**
 * Leaves folders of build output out, where there is something that they were built from: of a published package, which
 * has nothing else, they are the source.
 */
export function refuseBuiltFolders(paths: readonly ListedPath[], rules: IgnoreRules): Map<string, PathRefusal> {
  const refused = new Map<string, PathRefusal>();
  let sourceRemains = false;
  for (const { path } of paths) {
    const folder = builtFolderOf(path);
    if (folder === undefined) sourceRemains ||= isSource(path);
    else if (!rules.isBroughtBack(path)) refused.set(path, { path: folder, reason: "generated", detail: builtDetail });
  }
  return sourceRemains ? refused : new Map<string, PathRefusal>();
}

/** Endings of text that describes or configures, or that a build also puts beside its output. */
const noSource = /(?:^|\/)\.|\.(?:json|md|txt|ya?ml|toml|lock|rst|html|css)$|\.d\.[cm]?ts$|config\.[cm]?[jt]s$/i;

function isSource(path: string): boolean {
  return /\.[a-z0-9+]+$/i.test(path) && !noSource.test(path);
}
