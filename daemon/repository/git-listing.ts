import { runGit } from "./git-command.ts";
import { extraIgnoreFiles, type IgnoreRules } from "./ignore-rules.ts";
import { ExclusionList } from "./exclusion-list.ts";
import { comparePaths, tooManyFiles, type ListedPath, type Listing } from "./listing.ts";

const linkMode = "120000";
const submoduleMode = "160000";

/**
 * git's own view of a work tree (or of a folder in one): tracked files and untracked ones that are not ignored, less what
 * the other ignore files exclude.
 *
 * @returns null when git is missing or the folder is in no work tree that git trusts
 */
export async function listWithGit(
  root: string,
  rules: IgnoreRules,
  maxFiles: number,
  signal?: AbortSignal,
): Promise<Listing | null> {
  const inside = await runGit(root, ["rev-parse", "--is-inside-work-tree"], signal);
  if (inside?.trim() !== "true") return null;
  const [tracked, untracked, ignored] = await Promise.all([
    runGit(root, ["ls-files", "-z", "--cached", "--stage"], signal),
    runGit(root, ["ls-files", "-z", "--others", "--exclude-standard"], signal),
    runGit(root, ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"], signal),
  ]);
  if (tracked === null || untracked === null) return null;
  // A folder that the repository around it ignores, such as an installed package: git sees nothing in it.
  if (tracked === "" && (await runGit(root, ["check-ignore", "--quiet", "."], signal)) !== null) return null;

  const listed = new Map<string, ListedPath>();
  // A path in conflict has several stages: the work tree still has one file.
  for (const entry of records(tracked)) {
    const parsed = parseStageEntry(entry);
    if (parsed !== null) listed.set(parsed.path, parsed);
  }
  for (const path of records(untracked)) {
    // git names an untracked repository inside this one by its folder and does not look into it.
    if (path.endsWith("/")) listed.set(path, { path, kind: "submodule" });
    else if (isInside(path)) listed.set(path, { path, kind: "file" });
  }
  if (listed.size > maxFiles) throw tooManyFiles(root, maxFiles);

  await rules.readFolder("");
  for (const path of listed.keys()) {
    const slash = path.lastIndexOf("/");
    if (extraIgnoreFiles.includes(path.slice(slash + 1))) await rules.readFolder(path.slice(0, slash + 1));
  }
  const exclusions = new ExclusionList();
  const paths: ListedPath[] = [];
  for (const entry of [...listed.values()].sort((a, b) => comparePaths(a.path, b.path))) {
    const excludedAt = rules.excludedAt(entry.path);
    if (excludedAt === null) paths.push(entry);
    else exclusions.add(excludedAt, "excluded", "an ignore file names it");
  }
  return { source: "git", paths, excluded: exclusions.entries(), ignoredCount: records(ignored ?? "").length };
}

function records(output: string): string[] {
  return output.split("\0").filter((record) => record !== "");
}

/** "<mode> <object> <stage>\t<path>" (git-ls-files(1), "OUTPUT"). */
function parseStageEntry(entry: string): ListedPath | null {
  const tab = entry.indexOf("\t");
  const [mode, objectId] = entry.slice(0, tab).split(" ");
  const path = entry.slice(tab + 1);
  if (tab === -1 || objectId === undefined || !isInside(path)) return null;
  if (mode === submoduleMode) return { path: `${path}/`, kind: "submodule" };
  return { path, kind: mode === linkMode ? "link" : "file", objectId };
}

/** An index is a file that anyone may have written: no path in it may lead out. */
function isInside(path: string): boolean {
  return !path.startsWith("/") && !path.split(/[/\\]/).includes("..") && !/^[A-Za-z]:/.test(path);
}
