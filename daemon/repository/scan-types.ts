import type { ChosenFiles } from "./file-choice.ts";
import type { FileClass } from "./file-class.ts";
import type { GitHistory } from "./git-history.ts";
import type { LeftOut } from "./left-out.ts";
import type { FileNames } from "./names.ts";

/** One text file of the repository, as it was when it was read. */
export interface ScannedFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** SHA-256 of the bytes on disk (of the UTF-8 text, for an unsaved buffer), in hex. */
  readonly hash: string;
  readonly fileClass: FileClass;
  /**
   * When the file last changed, in seconds since 1970: its last commit; its modification time when it is untracked or
   * differs from the index; 0 when that lies further back than the history that was read, or when there is no git.
   */
  readonly changedAtSeconds: number;
  /** A person asked for it by name. */
  readonly wanted: boolean;
}

export interface ScanLimits {
  /** A larger file is left out as `too-large`. */
  readonly maxFileBytes: number;
  /** The scan is refused (`over-budget`) when more files than this are listed. */
  readonly maxFiles: number;
  /** Text beyond this sum is left out as `budget`, in path order. */
  readonly maxTotalBytes: number;
}

/**
 * 1 MiB is far above any file that people write, 200,000 files is above the Linux kernel's tree, and 256 MiB of text is
 * 64 times what a million tokens hold.
 */
export const defaultScanLimits: ScanLimits = {
  maxFileBytes: 1 << 20,
  maxFiles: 200_000,
  maxTotalBytes: 256 << 20,
};

export interface ScanOptions {
  readonly signal?: AbortSignal;
  readonly limits?: Partial<ScanLimits>;
  /** Unsaved buffers of an editor: relative path to text. They stand in for the files on disk. */
  readonly overlays?: ReadonlyMap<string, string>;
  /** What a person took out or wants in. */
  readonly choice?: ChosenFiles;
  /** An earlier scan of the same root: files whose size and times did not move are not read again. */
  readonly previous?: RepositoryScan;
}

export interface RepositoryScan {
  /** Absolute, links resolved. */
  readonly root: string;
  /** Who listed the files. */
  readonly listing: "git" | "folder";
  /** In the fresh order: rarely changed files first, recently edited ones last. */
  readonly files: readonly ScannedFile[];
  readonly leftOut: readonly LeftOut[];
  /** How many files and folders git's ignore rules hide (a hidden folder counts once). */
  readonly ignoredCount: number;
  /** For a later scan of the same root. */
  readonly memory: ScanMemory;
}

/** What a later scan may take over; opaque to other rooms. */
export interface ScanMemory {
  readonly records: ReadonlyMap<string, FileRecord>;
  readonly history?: GitHistory;
}

/** What reading a path gave, with the stat values that tell whether it still holds. */
export interface FileRecord {
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  /** The file may have changed again within the clock tick in which it was read. */
  readonly racy: boolean;
  /** It is an editor's buffer, which has no times. */
  readonly unsaved: boolean;
  /** The blob in git's index when it was judged. */
  readonly objectId: string | undefined;
  /** The user's own ignore file named it, so that generated text was welcome. */
  readonly broughtBack: boolean;
  readonly verdict: FileVerdict;
}

export type FileVerdict =
  | {
      readonly kind: "text";
      readonly hash: string;
      readonly names: FileNames;
      /** What git would call this content; the index has one of these when the file is as it was committed. */
      readonly gitObjectIds: readonly string[];
    }
  | { readonly kind: "left-out"; readonly reason: LeftOut["reason"]; readonly detail: string };
