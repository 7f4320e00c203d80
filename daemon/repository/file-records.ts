import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { throwIfCancelled } from "../failure/failure.ts";
import { judgeContent } from "./file-verdict.ts";
import type { IgnoreRules } from "./ignore-rules.ts";
import type { LeftOutReason } from "./left-out.ts";
import type { ListedPath } from "./listing.ts";
import { openBelow, readOpened } from "./safe-open.ts";
import type { FileRecord, FileVerdict, ScanMemory } from "./scan-types.ts";

interface ReadOptions {
  readonly rules: IgnoreRules;
  readonly maxFileBytes: number;
  readonly overlays: ReadonlyMap<string, string> | undefined;
  readonly known: ScanMemory | undefined;
  readonly signal: AbortSignal | undefined;
}

interface FileReadOptions extends ReadOptions {
  /** As `openBelow` takes it. */
  readonly folders: Map<string, Promise<string>>;
}

/** Node's file system pool has four threads; a few more requests keep it busy, and few descriptors open. */
const concurrentReads = 16;

/**
 * A change within the same tick of a file system's clock leaves no trace in its times. Two seconds is the coarsest clock
 * in use (FAT); a file that was changed so shortly before it was read is read again next time.
 */
const clockTickNs = 2_000_000_000n;

/** Judges each path; a path that is gone has no record. Files that did not move since `known` are not opened. */
export async function readRecords(
  root: string,
  entries: readonly ListedPath[],
  options: ReadOptions,
): Promise<Map<string, FileRecord>> {
  const found = new Map<string, FileRecord>();
  const queue = entries.values();
  const folders = new Map<string, Promise<string>>();
  const readNext = async (): Promise<void> => {
    for (const entry of queue) {
      if (options.signal) throwIfCancelled(options.signal);
      const record = await readRecord(root, entry, { ...options, folders });
      if (record !== null) found.set(entry.path, record);
    }
  };
  await Promise.all(Array.from({ length: concurrentReads }, readNext));
  return found;
}

async function readRecord(root: string, entry: ListedPath, options: FileReadOptions): Promise<FileRecord | null> {
  const overlay = options.overlays?.get(entry.path);
  if (overlay !== undefined) return overlayRecord(entry, overlay, options);
  const known = options.known?.records.get(entry.path);
  const broughtBack = options.rules.isBroughtBack(entry.path);
  if (known !== undefined && isJudgedAlike(known, broughtBack, options) && (await isUnchanged(root, entry, known))) {
    return known;
  }

  const readAtNs = BigInt(Date.now()) * 1_000_000n;
  const opened = await openBelow(root, entry.path, options.folders);
  switch (opened.kind) {
    case "gone":
      return null;
    case "link":
    case "not-a-file":
    case "unreadable":
      return { ...emptyRecord, verdict: leftOut(opened.kind, opened.detail) };
    case "opened":
      break;
  }
  try {
    const { size, mtimeNs, ctimeNs, ino: inode } = opened.stats;
    const stats = { sizeBytes: Number(size), mtimeNs, ctimeNs, inode, racy: mtimeNs > readAtNs - clockTickNs };
    const common = { ...stats, unsaved: false, objectId: entry.objectId, broughtBack };
    if (stats.sizeBytes > options.maxFileBytes) {
      return { ...common, verdict: tooLarge(stats.sizeBytes, options.maxFileBytes) };
    }
    const bytes = await readOpened(opened, options.maxFileBytes);
    // It may have grown between fstat and here.
    const verdict =
      bytes.length > options.maxFileBytes
        ? tooLarge(bytes.length, options.maxFileBytes)
        : judgeContent(bytes, entry.objectId, broughtBack);
    return { ...common, racy: common.racy || bytes.length !== stats.sizeBytes, verdict };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    return { ...emptyRecord, verdict: leftOut("unreadable", `the system says ${code}`) };
  } finally {
    await opened.handle.close();
  }
}

/** The rules that a verdict depends on may have changed although the file has not. */
function isJudgedAlike(known: FileRecord, broughtBack: boolean, { maxFileBytes }: ReadOptions): boolean {
  const wasTooLarge = known.verdict.kind === "left-out" && known.verdict.reason === "too-large";
  return known.broughtBack === broughtBack && wasTooLarge === known.sizeBytes > maxFileBytes;
}

async function isUnchanged(root: string, entry: ListedPath, known: FileRecord): Promise<boolean> {
  if (known.racy || known.unsaved || known.objectId !== entry.objectId) return false;
  try {
    const stats = await lstat(join(root, entry.path), { bigint: true });
    return (
      stats.isFile() &&
      stats.size === BigInt(known.sizeBytes) &&
      stats.mtimeNs === known.mtimeNs &&
      stats.ctimeNs === known.ctimeNs &&
      stats.ino === known.inode
    );
  } catch {
    return false;
  }
}

function overlayRecord(entry: ListedPath, text: string, options: ReadOptions): FileRecord {
  const bytes = Buffer.from(text, "utf8");
  const verdict =
    bytes.length > options.maxFileBytes
      ? tooLarge(bytes.length, options.maxFileBytes)
      : judgeContent(bytes, entry.objectId, options.rules.isBroughtBack(entry.path));
  return { ...emptyRecord, sizeBytes: bytes.length, unsaved: true, verdict };
}

/** Of a file that could not be read: nothing to compare later, so it is tried again. */
const emptyRecord = {
  sizeBytes: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  inode: 0n,
  racy: true,
  unsaved: false,
  objectId: undefined,
  broughtBack: false,
} as const;

function leftOut(reason: LeftOutReason, detail: string): FileVerdict {
  return { kind: "left-out", reason, detail };
}

function tooLarge(sizeBytes: number, maxFileBytes: number): FileVerdict {
  const [size, limit] = [sizeBytes, maxFileBytes].map((bytes) => Math.ceil(bytes / 1024).toLocaleString("en-US"));
  return leftOut("too-large", `${size} KiB; the limit is ${limit} KiB`);
}
