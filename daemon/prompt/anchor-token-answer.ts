import { AnchorDecoder, type Anchor, type AnchorTokenIds } from "./anchor-tokens.ts";
import { AnswerText } from "./answer-text.ts";
import type { AnswerReader, ResolvedAnswer } from "./answer.ts";
import type { CitationChecker } from "./citation-checker.ts";
import { StreamingText } from "./streaming-text.ts";
import type { PromptTokenizer } from "./tokenizer.ts";

/** What is shown of a cited line at most. */
const maxLineCharacters = 240;
export const absentText = "Not found: nothing in the context defines what the question names.";
const emptyText = "The model gave no answer that can be read.";

/** What stands between two special tokens: behind an anchor a quote, else text that no anchor precedes. */
interface Run {
  readonly anchor: Anchor | null;
  readonly stream: StreamingText;
  /** Of a quote all, else what was not handed on yet. */
  text: string;
  isShown: boolean;
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
 * or the token for "absent". A group can be shown when its quote is complete, since only the quote tells the line; text that no
 * anchor precedes is shown as it comes.
 */
export class AnchorTokenAnswer implements AnswerReader {
  readonly #options: AnchorTokenAnswerOptions;
  readonly #decoder: AnchorDecoder;
  readonly #answer: AnswerText;
  #run: Run;
  #absent = false;
  #parts = 0;

  constructor(options: AnchorTokenAnswerOptions) {
    this.#options = options;
    this.#decoder = new AnchorDecoder(options.anchors);
    this.#answer = new AnswerText(options.onText);
    this.#run = this.#newRun(null);
  }

  push(tokenId: number): void {
    const { anchors, tokenizer } = this.#options;
    const anchor = this.#decoder.push(tokenId);
    if (anchor === "partial") return;
    if (anchor !== null) {
      this.#closeRun(anchor);
    } else if (tokenId === anchors.absent) {
      this.#closeRun(null);
      this.#absent = true;
    } else if (tokenizer.isSpecial(tokenId)) {
      this.#closeRun(null);
    } else {
      this.#run.text += this.#run.stream.push(tokenId);
      this.#showRun();
    }
  }

  async finish(): Promise<ResolvedAnswer> {
    this.#closeRun(null);
    // A model that cites and says "absent" has found something.
    const absent = this.#absent && this.#parts === 0;
    if (this.#parts === 0) this.#answer.add(absent ? absentText : emptyText);
    return { ...(await this.#answer.finish()), absent };
  }

  #newRun(anchor: Anchor | null): Run {
    return { anchor, stream: new StreamingText(this.#options.tokenizer), text: "", isShown: false };
  }

  /** Shows what is left of a run; the next one begins with `anchor`. */
  #closeRun(anchor: Anchor | null): void {
    const run = this.#run;
    run.text += run.stream.flush();
    this.#showRun();
    if (run.anchor !== null && !run.isShown) this.#showQuote(run.anchor, run);
    this.#run = this.#newRun(anchor);
  }

  #showRun(): void {
    const run = this.#run;
    if (run.anchor !== null) {
      // The model quotes one line; what it adds after a line end is not looked at.
      if (!run.isShown && /\S.*\n/.test(run.text)) this.#showQuote(run.anchor, run);
      return;
    }
    // Spaces wait for what follows them: a run begins and ends without.
    const text = run.isShown ? run.text.trimEnd() : run.text.trim();
    if (text === "") return;
    run.text = run.text.slice(run.text.trimEnd().length);
    const separator = run.isShown ? "" : this.#separator();
    run.isShown = true;
    this.#answer.add(separator + text);
  }

  #showQuote(anchor: Anchor, run: Run): void {
    run.isShown = true;
    const separator = this.#separator();
    const quote = run.text.trim().split("\n", 1)[0] ?? "";
    this.#answer.add(async () => separator + (await this.#describe(anchor, quote)));
  }

  /** Of one more part from those before it. */
  #separator(): string {
    this.#parts += 1;
    return this.#parts === 1 ? "" : "\n";
  }

  async #describe(anchor: Anchor, quote: string): Promise<string> {
    const { checker, blockLines } = this.#options;
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
