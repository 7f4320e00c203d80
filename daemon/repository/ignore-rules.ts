import ignore, { type Ignore } from "ignore";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChosenFiles } from "./file-choice.ts";
import { parentFolders } from "./listing.ts";
import { isVendoredFolder, vendoredFolderOf } from "./vendored.ts";

/** Ours, whose `!pattern` lines also bring back what Longsight leaves out by itself (except secrets). */
export const ownIgnoreFile = ".longsightignore";

/** Ignore files of other tools whose users said "not for a model"; in the order in which they are applied. */
const toolIgnoreFiles = [".ignore", ".aiexclude", ".aiignore", ".cursorignore", ".geminiignore", ".clineignore"];

/** Ignore files that count beside git's own. */
export const extraIgnoreFiles: readonly string[] = [...toolIgnoreFiles, ownIgnoreFile];

const maxIgnoreFileBytes = 1 << 20;

interface FolderRules {
  /** With a trailing slash; "" is the root. */
  readonly folder: string;
  readonly all: Ignore;
  readonly own: Ignore;
}

/**
 * The ignore files of a tree, in gitignore syntax: rules of a deeper folder come after those of the folders above it, so
 * that the last match decides (gitignore(5), "pattern format").
 */
export class IgnoreRules {
  readonly #root: string;
  readonly #fileNames: readonly string[];
  readonly #chosen: ChosenFiles;
  readonly #folders = new Map<string, FolderRules>();
  /** Verdicts on folders, which every path below asks for. */
  readonly #folderVerdicts = new Map<string, boolean>();

  /** @param fileNames which ignore files to read, in the order of their precedence, the strongest last */
  constructor(root: string, fileNames: readonly string[], chosen: ChosenFiles) {
    this.#root = root;
    this.#fileNames = fileNames;
    this.#chosen = chosen;
  }

  /** Reads the ignore files that stand in a folder ("" or with a trailing slash); those that are absent do not count. */
  async readFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return;
    const all = ignore({ ignorecase: false });
    const own = ignore({ ignorecase: false });
    let found = false;
    for (const name of this.#fileNames) {
      const text = await readIgnoreFile(join(this.#root, folder, name));
      if (text === null) continue;
      found = true;
      all.add(text);
      if (name === ownIgnoreFile) own.add(text);
    }
    if (found) this.#folders.set(folder, { folder, all, own });
  }

  /**
   * The outermost folder, or else the path itself, that the rules exclude; null when they do not. As with git, what lies
   * in an excluded folder cannot be brought back.
   *
   * @param path relative; a folder ends with a slash
   */
  excludedAt(path: string): string | null {
    if (this.#folders.size === 0) return null;
    for (const folder of parentFolders(path)) {
      let excluded = this.#folderVerdicts.get(folder);
      if (excluded === undefined) {
        excluded = this.#matches(folder);
        this.#folderVerdicts.set(folder, excluded);
      }
      if (excluded) return folder;
    }
    return this.#matches(path) ? path : null;
  }

  /** Whether a person wants the path, or a `!pattern` of .longsightignore names it or a folder above it. */
  isBroughtBack(path: string): boolean {
    if (this.#chosen.isIncluded(path)) return true;
    if (this.#folders.size === 0) return false;
    return [...parentFolders(path), path].some((part) => this.#decide(part, "own")?.unignored === true);
  }

  /** Whether a folder is other projects' code, or lies in it, and nobody asked for anything in it. */
  isUnwantedVendored(folder: string): boolean {
    if (!isVendoredFolder(folder) && vendoredFolderOf(folder) === undefined) return false;
    return !this.isBroughtBack(folder) && !this.#chosen.reaches(folder);
  }

  #matches(path: string): boolean {
    return this.#decide(path, "all")?.ignored === true;
  }

  #decide(path: string, which: "all" | "own"): { ignored: boolean; unignored: boolean } | null {
    let decision: { ignored: boolean; unignored: boolean } | null = null;
    for (const folder of ["", ...parentFolders(path)]) {
      const rules = this.#folders.get(folder);
      if (rules === undefined || folder === path) continue;
      const result = rules[which].test(path.slice(folder.length));
      if (result.ignored || result.unignored) decision = result;
    }
    return decision;
  }
}

async function readIgnoreFile(file: string): Promise<string | null> {
  try {
    const text = await readFile(file, "utf8");
    return text.length <= maxIgnoreFileBytes ? text : null;
  } catch {
    // Absent is the rule; an unreadable one cannot be honoured, and its folder is then as unreadable as the file.
    return null;
  }
}
