import type { LeftOut, LeftOutReason } from "./left-out.ts";

/** Collects what is left out; the many files of one folder become one entry that counts them. */
export class ExclusionList {
  readonly #entries = new Map<string, { reason: LeftOutReason; detail: string; fileCount: number }>();

  /** @param path the file, or the folder (with a trailing slash) whose files share the reason */
  add(path: string, reason: LeftOutReason, detail: string): void {
    const known = this.#entries.get(path);
    if (known?.reason === reason) known.fileCount += 1;
    else this.#entries.set(path, { reason, detail, fileCount: 1 });
  }

  entries(): LeftOut[] {
    return Array.from(this.#entries, ([path, entry]) => ({ path, ...entry }));
  }
}
