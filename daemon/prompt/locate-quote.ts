import { holdsName } from "./asked-names.ts";

/** Lines from `first` to `last`, from 1, both included. */
export interface LineRange {
  readonly first: number;
  readonly last: number;
}

export interface Located {
  /** From 1. */
  readonly line: number;
  /** What was looked for stands there. */
  readonly verified: boolean;
}

/** Lines of prose: comments and text in quotes, Markdown's headings and lists. */
const comment = /^\s*(?:\/\/|\/?\*|#(?!\s*define)|--|;;|<!--|"""|'''|[-*>] )/;
/** A quote that is shorter says too little to be looked for outside the lines that were cited. */
const minDistantQuoteCharacters = 12;
/** A quote that is shorter, of which a line has more, proves nothing. */
const minPartialQuoteCharacters = 6;

/**
 * The line of a file that a citation means. White space does not count in comparisons. In this order: the quote on a cited line
 * (whole, or as part of it, since long quotes are cut off), or the cited line that has the asked name when that one lacks it;
 * the same quote elsewhere in the file, where a model's anchor was off
 * or the file has changed; an asked name on a cited line. Otherwise the first cited line, unverified.
 *
 * @param lines of the file as it is now
 */
export function locateQuote(
  lines: readonly string[],
  range: LineRange,
  quote: string,
  names: readonly string[],
): Located {
  const wanted = squeeze(quote);
  const nearestFirst = (a: number, b: number): number => distance(a, range) - distance(b, range);
  const holding = (test: (line: string) => boolean): number[] =>
    lines.flatMap((line, index) => (test(squeeze(line)) ? [index + 1] : []));
  const citedLines = lines.flatMap((_, index) => (distance(index + 1, range) === 0 ? [index + 1] : []));
  const isCited = (line: number): boolean => distance(line, range) === 0;
  const named = (line: number): boolean => names.some((name) => holdsName(lines[line - 1] ?? "", name));
  /** Of several equal lines the one with the name that was asked for. */
  const best = (found: readonly number[]): number | undefined => found.find(named) ?? found[0];

  /** A small model may cite the right lines and quote the wrong one of them: the name decides, unless a comment is quoted. */
  const betterNamed = (quoted: number): number | undefined => {
    if (named(quoted) || comment.test(lines[quoted - 1] ?? "")) return undefined;
    return citedLines.find((line) => named(line) && !comment.test(lines[line - 1] ?? ""));
  };

  if (wanted !== "") {
    const equal = holding((line) => line === wanted);
    const partial = wanted.length < minPartialQuoteCharacters ? [] : holding((line) => line.includes(wanted));
    const cited = best(equal.filter(isCited)) ?? best(partial.filter(isCited));
    if (cited !== undefined) return { line: betterNamed(cited) ?? cited, verified: true };
    if (wanted.length >= minDistantQuoteCharacters) {
      const distant = [...equal].sort(nearestFirst)[0] ?? [...partial].sort(nearestFirst)[0];
      if (distant !== undefined) return { line: distant, verified: true };
    }
  }
  const namedLine = citedLines.find(named);
  if (namedLine !== undefined) return { line: namedLine, verified: true };
  return { line: Math.max(1, range.first), verified: false };
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function distance(line: number, { first, last }: LineRange): number {
  return line < first ? first - line : line > last ? line - last : 0;
}
