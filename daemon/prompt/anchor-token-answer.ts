import { AnchorDecoder, type Anchor, type AnchorTokenIds } from "./anchor-tokens.ts";
import { AnswerText } from "./answer-text.ts";
import type { AnswerReader, ResolvedAnswer } from "./answer.ts";
import type { CitationChecker } from "./citation-checker.ts";
import type { PromptTokenizer } from "./tokenizer.ts";

/** What is shown of a cited line at most. */
const maxLineCharacters = 240;
export const absentText = "Not found: nothing in the context defines what the question names.";
const emptyText = "The model gave no answer that can be read.";

interface Group {
  readonly anchor: Anchor;
  readonly quoteIds: number[];
}

export interface AnchorTokenAnswerOptions {
  readonly tokenizer: PromptTokenizer;
  readonly anchors: AnchorTokenIds;
  readonly blockLines: number;
  readonly checker: CitationChecker;
  readonly onText: (text: string) => void;
}

/**
 * Answers of dialect `anchor-tokens`: groups of an anchor and the quoted line, each shown as `path:line  text of the line`;
 * or the token for "absent". A group can be shown when its quote is complete, since only the quote tells the line.
 */
export class AnchorTokenAnswer implements AnswerReader {
  readonly #options: AnchorTokenAnswerOptions;
  readonly #decoder: AnchorDecoder;
  readonly #answer: AnswerText;
  #group: Group | null = null;
  /** Text that no anchor precedes. */
  #looseIds: number[] = [];
  #absent = false;
  #parts = 0;

  constructor(options: AnchorTokenAnswerOptions) {
    this.#options = options;
    this.#decoder = new AnchorDecoder(options.anchors);
    this.#answer = new AnswerText(options.onText);
  }

  push(tokenId: number): void {
    const { anchors, tokenizer } = this.#options;
    const anchor = this.#decoder.push(tokenId);
    if (anchor === "partial") return;
    if (anchor !== null) {
      this.#closeGroup();
      this.#group = { anchor, quoteIds: [] };
    } else if (tokenId === anchors.absent) {
      this.#closeGroup();
      this.#absent = true;
    } else if (tokenizer.isSpecial(tokenId)) {
      this.#closeGroup();
    } else {
      (this.#group?.quoteIds ?? this.#looseIds).push(tokenId);
    }
  }

  async finish(): Promise<ResolvedAnswer> {
    this.#closeGroup();
    // A model that cites and says "absent" has found something.
    const absent = this.#absent && this.#parts === 0;
    if (this.#parts === 0) this.#answer.add(absent ? absentText : emptyText);
    return { ...(await this.#answer.finish()), absent };
  }

  #closeGroup(): void {
    const loose = this.#options.tokenizer.decode(this.#looseIds).trim();
    this.#looseIds = [];
    if (loose !== "") this.#addPart(async () => Promise.resolve(loose));
    const group = this.#group;
    this.#group = null;
    if (group !== null) this.#addPart(() => this.#describe(group));
  }

  #addPart(part: () => Promise<string>): void {
    const separator = this.#parts === 0 ? "" : "\n";
    this.#parts += 1;
    this.#answer.add(async () => separator + (await part()));
  }

  async #describe({ anchor, quoteIds }: Group): Promise<string> {
    const { tokenizer, checker, blockLines } = this.#options;
    const quote = firstLine(tokenizer.decode(quoteIds));
    const file = checker.fileById(anchor.fileId);
    const first = anchor.block * blockLines + 1;
    if (file === undefined || first > file.lineCount)
      return `${quote}  (cited from a place that is not in the context)`.trim();
    const range = { first, last: Math.min(first + blockLines - 1, file.lineCount) };
    const citation = await checker.check(file, range, quote);
    this.#answer.cite(citation);
    const text = (citation.lineText ?? citation.quote).slice(0, maxLineCharacters);
    const marks = [
      citation.verified ? [] : ["not verified"],
      citation.stale ? ["changed since it was read"] : [],
    ].flat();
    const note = marks.length > 0 ? `  (${marks.join(", ")})` : "";
    return `${citation.path}:${citation.line}  ${text}`.trimEnd() + note;
  }
}

/** The model quotes one line; what it adds after a line end is not looked at. */
function firstLine(quote: string): string {
  return quote.trim().split("\n", 1)[0] ?? "";
}
