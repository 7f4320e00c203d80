import { realpath, stat } from "node:fs/promises";
import { Failure, throwIfCancelled } from "../failure/failure.ts";
import { ExclusionList } from "./exclusion-list.ts";
import { ChosenFiles } from "./file-choice.ts";
import { classifyFile } from "./file-class.ts";
import { listFolder } from "./folder-listing.ts";
import { compareFresh } from "./fresh-order.ts";
import { readGitHistory, type GitHistory } from "./git-history.ts";
import { listWithGit } from "./git-listing.ts";
import { extraIgnoreFiles, IgnoreRules } from "./ignore-rules.ts";
import { comparePaths, type ListedPath } from "./listing.ts";
import { refuseBuiltFolders, refuseByPath } from "./path-verdict.ts";
import { readRecords } from "./file-records.ts";
import {
  defaultScanLimits,
  type FileRecord,
  type RepositoryScan,
  type ScannedFile,
  type ScanLimits,
  type ScanOptions,
} from "./scan-types.ts";

/**
 * Lists a repository's text files, and what is left out with the reasons.
 *
 * @throws Failure `no-such-folder`; `over-budget` when there are more than `maxFiles`; `cancelled`
 */
export async function scanRepository(root: string, options: ScanOptions = {}): Promise<RepositoryScan> {
  const { signal, overlays, previous, choice = new ChosenFiles() } = options;
  if (signal) throwIfCancelled(signal);
  const limits: ScanLimits = { ...defaultScanLimits, ...options.limits };
  const resolved = await resolveRoot(root);

  let rules = new IgnoreRules(resolved, extraIgnoreFiles, choice);
  let listing = await listWithGit(resolved, rules, limits.maxFiles, signal);
  if (listing === null) {
    rules = new IgnoreRules(resolved, [".gitignore", ...extraIgnoreFiles], choice);
    listing = await listFolder(resolved, rules, limits.maxFiles, signal);
  }

  const exclusions = new ExclusionList();
  const built = refuseBuiltFolders(listing.paths, rules);
  const candidates: ListedPath[] = [];
  for (const entry of listing.paths) {
    const takenOutAt = choice.excludedAt(entry.path);
    const refusal = refuseByPath(entry, rules) ?? built.get(entry.path);
    if (takenOutAt !== null) exclusions.add(takenOutAt, "excluded", "taken out by hand");
    else if (refusal) exclusions.add(refusal.path, refusal.reason, refusal.detail);
    else candidates.push(entry);
  }

  const known = previous?.root === resolved ? previous.memory : undefined;
  const [records, history] = await Promise.all([
    readRecords(resolved, candidates, { rules, maxFileBytes: limits.maxFileBytes, overlays, known, signal }),
    listing.source === "git" ? readGitHistory(resolved, known?.history, signal) : undefined,
  ]);

  const files: ScannedFile[] = [];
  let totalBytes = 0;
  for (const { path, objectId } of candidates) {
    const record = records.get(path);
    // Deleted in the work tree, though git still lists it.
    if (record === undefined) continue;
    const { verdict, sizeBytes } = record;
    if (verdict.kind === "left-out") {
      exclusions.add(path, verdict.reason, verdict.detail);
    } else if (totalBytes + sizeBytes > limits.maxTotalBytes) {
      exclusions.add(path, "budget", `the scan stops at ${limits.maxTotalBytes >> 20} MiB of text`);
    } else {
      totalBytes += sizeBytes;
      files.push({
        path,
        sizeBytes,
        mtimeMs: Number(record.mtimeNs / 1_000_000n),
        hash: verdict.hash,
        fileClass: classifyFile(path),
        changedAtSeconds: changedAtSeconds(path, record, objectId, history),
        wanted: choice.isIncluded(path),
      });
    }
  }
  return {
    root: resolved,
    listing: listing.source,
    files: files.sort(compareFresh),
    leftOut: [...listing.excluded, ...exclusions.entries()].sort((a, b) => comparePaths(a.path, b.path)),
    ignoredCount: listing.ignoredCount,
    memory: { records, ...(history ? { history } : {}) },
  };
}

async function resolveRoot(root: string): Promise<string> {
  try {
    const resolved = await realpath(root);
    if ((await stat(resolved)).isDirectory()) return resolved;
  } catch (cause) {
    throw new Failure("no-such-folder", `There is no folder ${root} that can be read.`, { cause });
  }
  throw new Failure("no-such-folder", `${root} is a file, not a folder.`);
}

/**
 * A file that git has as it is gets the time of its last commit; its own modification time says only when it was checked
 * out. A file that differs, or that git does not know, was edited here.
 */
function changedAtSeconds(
  path: string,
  record: FileRecord,
  objectId: string | undefined,
  history: GitHistory | undefined,
): number {
  if (record.unsaved) return Number.MAX_SAFE_INTEGER;
  if (history === undefined || record.verdict.kind !== "text") return 0;
  if (objectId !== undefined && record.verdict.gitObjectIds.includes(objectId)) {
    return history.changedAtSeconds.get(path) ?? 0;
  }
  return Number(record.mtimeNs / 1_000_000_000n);
}
