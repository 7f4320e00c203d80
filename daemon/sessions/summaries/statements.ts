/** From an answer to the statements of a summary. */
import { type ResolvedAnswer, toPlainText } from "../../prompt/index.ts";
import type { Citation } from "../../protocol/ask.ts";
import type { SummaryStatement } from "../../protocol/summarize.ts";

/** Of one file or folder; a model that says more has not summarized. */
export const maxStatements = 12;
/** Lines of a comment that are read on, where the cited one ends within a sentence. */
const maxCommentLines = 6;
const maxStatementCharacters = 400;
/** From a heading to its first words: room for badges and a table of contents. */
const maxLinesBelow = 12;

/**
 * Of a model that can only quote: each place that it cites in the file, as what stands there. A comment is read on to the end of
 * its sentence.
 *
 * @param text the lines of the file as it is now
 */
export function quotedStatements(answer: ResolvedAnswer, path: string, text: readonly string[]): SummaryStatement[] {
  const lines = text.map(toPlainText);
  const own = answer.citations.filter(
    ({ path: cited, line, verified }) => cited === path && verified && !isFragment(lines[line - 1] ?? ""),
  );
  return own.slice(0, maxStatements).flatMap((citation) => {
    const said = sentenceAt(lines, citation.line);
    if (said === "") return [];
    const below = /\.mdx?$/i.test(path) ? paragraphBelow(lines, citation.line) : null;
    if (!below) return [{ text: said, citations: [citation] }];
    const opening: Citation = { path, line: below.line, verified: true, stale: citation.stale, quote: below.quote };
    return [{ text: shorten(`${said}: ${below.text}`), citations: [citation, opening] }];
  });
}

/** A heading says little by itself: the first sentence below it, when there are words before the next heading. */
function paragraphBelow(
  lines: readonly string[],
  heading: number,
): { text: string; line: number; quote: string } | null {
  if (!/^#+\s/.test(lines[heading - 1] ?? "")) return null;
  for (let line = heading + 1; line <= Math.min(lines.length, heading + maxLinesBelow); line++) {
    const quote = lines[line - 1] ?? "";
    if (/^#+\s/.test(quote)) return null;
    if (!/^[A-Za-z*_"'`(]/.test(quote)) continue; // blank, a badge, a table, a list, code
    let text = quote.trim();
    for (const next of lines.slice(line, line + maxCommentLines)) {
      if (/[.!?:]$/.test(text) || !/^\S/.test(next)) break;
      text = `${text} ${next.trim()}`;
    }
    return { text: /^.*?[.!?](?=\s|$)/.exec(text)?.[0] ?? text, line, quote: quote.trim() };
  }
  return null;
}

/** Lines that say what a file needs, or pieces of a list: nobody learns from them what the file is for. */
function isFragment(line: string): boolean {
  return /^\s*(?:import\b|from\s+\S+\s+import\b|#\s*(?:include|pragma)\b|use\s|using\s|package\s|require\b|(?:type\s+)?\w+,$|[^\w]*$)/.test(
    line,
  );
}

/** Words as people write them, rather than code: most of the text is words of letters with spaces between. */
export function isProse({ text }: SummaryStatement): boolean {
  const words = text.split(/\s+/).filter((word) => /^[("'`]?[A-Za-z][a-z'-]*[)"'`.,;:!?]*$/.test(word));
  return words.length >= 4 && words.length / text.split(/\s+/).length > 0.6 && !/[{;]$/.test(text);
}

/** The first of the two that tells something in words, else the first that tells anything. */
export function betterOf(first: SummaryStatement[], second: SummaryStatement[]): SummaryStatement[] {
  if (first.some(isProse) || second.length === 0) return first;
  return first.length === 0 || second.some(isProse) ? second : first;
}

/** Of a model that writes prose: its sentences, each with the citations that stand in it or alone behind it. */
export function writtenStatements(answer: ResolvedAnswer): SummaryStatement[] {
  const statements: { text: string; citations: Citation[] }[] = [];
  for (const sentence of answer.text.split(/\n+|(?<=[.!?])\s+(?=[A-Z[(`])/)) {
    let text = sentence;
    const citations: Citation[] = [];
    for (const citation of answer.citations) {
      const place = `${citation.path}:${citation.line.toString()}`;
      if (!text.includes(place)) continue;
      text = text.replaceAll(place, "");
      citations.push(citation);
    }
    text = tidy(text);
    const last = statements.at(-1);
    if (text !== "") statements.push({ text: shorten(text), citations });
    else last?.citations.push(...citations);
  }
  return statements.slice(0, maxStatements);
}

/** Brackets and list marks that are left over where a citation stood. */
function tidy(text: string): string {
  return text
    .replace(/[([]\s*[,;\s]*[)\]]/g, "")
    .replace(/^\s*(?:[-*#>]+|\d+\.)\s*/, "")
    .replace(/\s+([.,;:])/g, "$1")
    .replace(/\s+/g, " ")
    .replace(/^[\s.,;:]+$/, "")
    .trim();
}

const opening = /^\s*(?:\/\*+|\*(?!\/)|\/\/[/!]?|#+(?!!)|--|;+|<!--|"""|''')\s?/;
const closing = /\s*(?:\*+\/|-->|"""|''')\s*$/;

/** The line without its comment's marks; of a comment that ends within a sentence, also the lines to its end. */
export function sentenceAt(lines: readonly string[], line: number): string {
  const first = lines[line - 1] ?? "";
  let text = plain(first);
  if (isComment(first) && !closing.test(first)) {
    for (const next of lines.slice(line, line + maxCommentLines)) {
      if (/[.!?:]$/.test(text)) break;
      if (!isComment(next) || plain(next) === "") break;
      text = `${text} ${plain(next)}`;
      if (closing.test(next)) break;
    }
  }
  return shorten(text.trim());
}

/** At a word's end, where there is one not too far back. */
function shorten(text: string): string {
  if (text.length <= maxStatementCharacters) return text;
  const cut = text.slice(0, maxStatementCharacters);
  const word = cut.lastIndexOf(" ");
  return `${cut.slice(0, word > maxStatementCharacters / 2 ? word : -1)}…`;
}

/** C's directives begin like a comment of other languages. */
function isComment(line: string): boolean {
  return opening.test(line) && !/^\s*#\s*(?:include|define|if|endif|else|pragma|undef|error)\b/.test(line);
}

function plain(line: string): string {
  return line.replace(opening, "").replace(closing, "").trim();
}
