import { parentFolders } from "./listing.ts";

/** Folders where package managers and people put other projects' code. */
const vendoredFolders = new Set([
  "node_modules",
  "bower_components",
  "jspm_packages",
  "vendor",
  "third_party",
  "third-party",
  "thirdparty",
  "site-packages",
  ".venv",
  "venv",
  ".tox",
  "Pods",
  "Carthage",
  ".yarn",
]);

/** Folders where build tools put what they make. */
const builtFolders = new Set(["dist", ".next", ".nuxt", ".svelte-kit", "coverage"]);

/** Folders of caches, which hold nothing that anyone wrote. */
const cacheFolders = new Set(["__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".gradle", ".cache"]);

const bringBackHint = "a line `!folder/` in .longsightignore brings it back";

export const vendoredDetail = `other projects' code; ${bringBackHint}`;
export const cacheDetail = `a cache; ${bringBackHint}`;
export const builtDetail = `build output; ${bringBackHint}`;

/** @param folder with a trailing slash */
export function isVendoredFolder(folder: string): boolean {
  return vendoredFolders.has(folderName(folder));
}

/** The outermost vendored folder above a path, with a trailing slash. */
export function vendoredFolderOf(path: string): string | undefined {
  return parentFolders(path).find(isVendoredFolder);
}

/** The outermost cache folder above a path, with a trailing slash. */
export function cacheFolderOf(path: string): string | undefined {
  return parentFolders(path).find((folder) => cacheFolders.has(folderName(folder)));
}

/** The outermost folder of build output above a path, with a trailing slash. */
export function builtFolderOf(path: string): string | undefined {
  return parentFolders(path).find((folder) => builtFolders.has(folderName(folder)));
}

function folderName(folder: string): string {
  return folder.slice(folder.lastIndexOf("/", folder.length - 2) + 1, -1);
}
