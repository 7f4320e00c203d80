/** What a scan or a pack leaves out, and why. Nothing is dropped without an entry, save what git itself ignores. */

/**
 * Why a file, or a whole folder, is not in the context.
 *
 * - `excluded`: an ignore file other than git's own names it (`.longsightignore`, `.ignore`, `.cursorignore`, ...), or a
 *   person took it out
 * - `binary`, `too-large`, `generated`, `vendored`, `invalid-utf8`: what the file is
 * - `secret`: its name or its content looks like a key; it is never read into a prompt
 * - `link`, `not-a-file`, `submodule`, `unreadable`: what stands at that path
 * - `budget`: it would not fit into the context
 */
export type LeftOutReason =
  | "excluded"
  | "binary"
  | "too-large"
  | "generated"
  | "vendored"
  | "secret"
  | "link"
  | "not-a-file"
  | "submodule"
  | "unreadable"
  | "invalid-utf8"
  | "budget";

export interface LeftOut {
  /** Relative to the root, with forward slashes; a folder ends with one. */
  readonly path: string;
  readonly reason: LeftOutReason;
  /** One phrase for a person; never the secret itself. */
  readonly detail: string;
  /** How many files the entry stands for: 1, or more for a folder. */
  readonly fileCount: number;
  /** About what it would take of a context; absent where nothing was read. */
  readonly tokens?: number;
}
