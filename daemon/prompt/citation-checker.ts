import { readSourceText } from "../repository/index.ts";
import { askedNames, codeNames, holdsName } from "./asked-names.ts";
import { splitLines } from "./blocks.ts";
import { locateQuote, type LineRange } from "./locate-quote.ts";
import type { PackedFile, PackedRepository } from "./packed-repository.ts";
import { toPlainText } from "./plain-text.ts";

export interface Citation {
  readonly path: string;
  /** From 1; in the file as it is now when `verified`, else as it was packed. */
  readonly line: number;
  /** The quoted text (or the name that was asked for) stands on that line of the file as it is now. */
  readonly verified: boolean;
  /** The file has changed since it was packed. */
  readonly stale: boolean;
  /** What the model quoted; empty when it quoted nothing. */
  readonly quote: string;
}

export interface CheckedCitation extends Citation {
  /** The cited line as it is now, when verified. */
  readonly lineText: string | null;
}

interface CurrentFile {
  readonly lines: readonly string[];
  readonly hash: string;
}

/** Checks citations of one answer against the files as they are now; each file is read once. */
export class CitationChecker {
  readonly #pack: PackedRepository;
  readonly #names: readonly string[];
  readonly #codeNames: readonly string[];
  readonly #overlays: ReadonlyMap<string, string> | undefined;
  readonly #files = new Map<string, Promise<CurrentFile | null>>();
  readonly #byPath: ReadonlyMap<string, PackedFile>;

  constructor(pack: PackedRepository, question: string, overlays: ReadonlyMap<string, string> | undefined) {
    this.#pack = pack;
    this.#names = askedNames(question);
    this.#codeNames = codeNames(question);
    this.#overlays = overlays;
    this.#byPath = new Map(pack.files.map((file) => [file.path, file]));
  }

  fileById(id: number): PackedFile | undefined {
    return this.#pack.files[id];
  }

  fileByPath(path: string): PackedFile | undefined {
    return this.#byPath.get(path);
  }

  async check(file: PackedFile, range: LineRange, quote: string): Promise<CheckedCitation> {
    const { path } = file;
    const current = await this.#read(path);
    const shown = toPlainText(quote).trim();
    if (current === null) {
      return { path, line: Math.max(1, range.first), verified: false, stale: true, quote: shown, lineText: null };
    }
    const located = locateQuote(current.lines, range, quote, this.#names);
    const { line } = located;
    const verified = located.verified && this.#isAboutWhatWasAsked(path, current.lines);
    const lineText = verified ? toPlainText(current.lines[line - 1] ?? "").trim() : null;
    return { path, line, verified, stale: current.hash !== file.hash, quote: shown, lineText };
  }

  /** A file that never mentions the name that was asked for, spelled as code, cannot be where the answer is. */
  #isAboutWhatWasAsked(path: string, lines: readonly string[]): boolean {
    const names = this.#codeNames;
    if (names.length === 0) return true;
    return names.some((name) => path.includes(name) || lines.some((line) => holdsName(line, name)));
  }

  async #read(path: string): Promise<CurrentFile | null> {
    let reading = this.#files.get(path);
    if (reading === undefined) {
      reading = readSourceText(this.#pack.root, path, this.#overlays).then((source) =>
        source === null ? null : { lines: splitLines(source.text), hash: source.hash },
      );
      this.#files.set(path, reading);
    }
    return reading;
  }
}
