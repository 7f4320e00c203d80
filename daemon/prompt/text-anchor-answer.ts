import { AnswerText } from "./answer-text.ts";
import type { AnswerReader, ResolvedAnswer } from "./answer.ts";
import type { CitationChecker } from "./citation-checker.ts";
import type { LineRange } from "./locate-quote.ts";
import type { PackedFile } from "./packed-repository.ts";
import { StreamingText } from "./streaming-text.ts";
import type { PromptTokenizer } from "./tokenizer.ts";

/** `[file:line]` or `[file:line-line]`, as the instructions ask for. */
const anchorPattern = /\[(\d{1,6}):(\d{1,8})(?:-(\d{1,8}))?\]/;
/** The end of a text that may become an anchor with what follows. */
const halfAnchor = /\[(?:\d{1,6}(?::(?:\d{1,8}(?:-\d{0,8})?)?)?)?$/;
/** `path:line` in plain words. */
const pathPattern = /([\w@$+.~-]+(?:\/[\w@$+.~-]+)*):(\d{1,8})(?:-(\d{1,8}))?/g;
/** A quote belongs to the citation behind it when it stands at most so far ahead of it. */
const quoteReachCharacters = 400;
/** Lines around a cited one in which its quote is looked for: models are off by a few. */
const nearbyLines = 8;

export interface TextAnchorAnswerOptions {
  readonly tokenizer: PromptTokenizer;
  readonly blockLines: number;
  readonly checker: CitationChecker;
  readonly onText: (text: string) => void;
}

/** Answers of dialect `text-anchors`: prose, in which anchors become `path:line` as it streams. */
export class TextAnchorAnswer implements AnswerReader {
  readonly #options: TextAnchorAnswerOptions;
  readonly #stream: StreamingText;
  readonly #answer: AnswerText;
  /** Text that is not handed on yet: it may be the start of an anchor. */
  #held = "";
  /** What was handed on, as the model wrote it: quotes are looked for in it. */
  #written = "";

  constructor(options: TextAnchorAnswerOptions) {
    this.#options = options;
    this.#stream = new StreamingText(options.tokenizer);
    this.#answer = new AnswerText(options.onText);
  }

  push(tokenId: number): void {
    if (this.#options.tokenizer.isSpecial(tokenId)) return;
    this.#held += this.#stream.push(tokenId);
    this.#handOn(false);
  }

  async finish(): Promise<ResolvedAnswer> {
    this.#held += this.#stream.flush();
    this.#handOn(true);
    await this.#answer.finish();
    await this.#citePaths();
    return { ...(await this.#answer.finish()), absent: false };
  }

  #handOn(isEnd: boolean): void {
    for (let match = anchorPattern.exec(this.#held); match; match = anchorPattern.exec(this.#held)) {
      const [mark, id = "", first = "", last = first] = match;
      this.#write(this.#held.slice(0, match.index));
      this.#held = this.#held.slice(match.index + mark.length);
      const file = this.#options.checker.fileById(Number(id));
      if (file === undefined) this.#write(mark);
      else this.#citeAnchor(file, { first: Number(first), last: Math.max(Number(first), Number(last)) });
    }
    const half = isEnd ? null : halfAnchor.exec(this.#held);
    const end = half?.index ?? this.#held.length;
    this.#write(this.#held.slice(0, end));
    this.#held = this.#held.slice(end);
  }

  #write(text: string): void {
    if (text === "") return;
    this.#written += text;
    this.#answer.add(text);
  }

  #citeAnchor(file: PackedFile, range: LineRange): void {
    const quote = lastQuote(this.#written);
    this.#answer.add(async () => {
      const citation = await this.#options.checker.check(file, this.#around(range, quote), quote);
      // Unverified, the cited line itself is what the model said, not the first line around it.
      const line = citation.verified ? citation.line : Math.min(range.first, Math.max(1, file.lineCount));
      this.#answer.cite({ ...citation, line });
      return `${file.path}:${line}`;
    });
  }

  /** Where to look: near the line for a quote; without one, from the line to the end of the block that it may stand for. */
  #around({ first, last }: LineRange, quote: string): LineRange {
    if (quote === "") return { first, last: last + this.#options.blockLines - 1 };
    return { first: Math.max(1, first - nearbyLines), last: last + nearbyLines };
  }

  /** Citations that the model wrote as paths; those that anchors gave are known already. */
  async #citePaths(): Promise<void> {
    for (const match of this.#written.matchAll(pathPattern)) {
      const [, path = "", first = "", last = first] = match;
      const file = this.#options.checker.fileByPath(path);
      if (file === undefined) continue;
      const range = { first: Number(first), last: Math.max(Number(first), Number(last)) };
      const quote = lastQuote(this.#written.slice(0, match.index));
      const citation = await this.#options.checker.check(file, this.#around(range, quote), quote);
      this.#answer.cite(citation.verified ? citation : { ...citation, line: range.first });
    }
  }
}

/** The last text in backticks near the end; an answer's code blocks count by their last line. */
function lastQuote(text: string): string {
  const near = text.slice(-quoteReachCharacters);
  const quotes = Array.from(near.matchAll(/`+([^`]+)`+/g), (match) => match[1] ?? "");
  return (quotes.at(-1) ?? "").trim().split("\n").at(-1) ?? "";
}
