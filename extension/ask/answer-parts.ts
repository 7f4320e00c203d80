/** An answer's text cut into plain text, the places that it names, and their lines: only what the daemon cited becomes a link. */
import type { Citation } from "../../daemon/protocol/ask.ts";

export type AnswerPart =
  | { readonly kind: "text"; readonly text: string }
  /** `citation`: its index in the record. */
  | { readonly kind: "place"; readonly text: string; readonly citation: number }
  /** What stands at the place before it: "path:line  the line", where two spaces part the two. Without those, and one line long. */
  | { readonly kind: "quote"; readonly text: string };

/** What the daemon writes behind a quote that it did not find there; the citation says it already. */
const quoteAfterPlace = /^ {2}(\S[^\n]*?)(\s+\(not verified\)\s*)?(?:\n|$)/;

export function answerParts(answer: string, citations: readonly Citation[]): readonly AnswerPart[] {
  const places = new Map(citations.map(({ path, line }, index) => [`${path}:${line}`, index] as const));
  const parts: AnswerPart[] = [];
  let rest = answer;
  while (rest !== "") {
    const next = firstPlace(rest, places);
    if (!next) {
      parts.push({ kind: "text", text: rest });
      break;
    }
    if (next.at > 0) parts.push({ kind: "text", text: rest.slice(0, next.at) });
    parts.push({ kind: "place", text: next.place, citation: next.citation });
    rest = rest.slice(next.at + next.place.length);
    const [whole, quote] = quoteAfterPlace.exec(rest) ?? [];
    if (whole === undefined || quote === undefined) continue;
    parts.push({ kind: "quote", text: quote });
    rest = rest.slice(whole.length);
  }
  return parts;
}

function firstPlace(
  text: string,
  places: ReadonlyMap<string, number>,
): { at: number; place: string; citation: number } | null {
  let first: { at: number; place: string; citation: number } | null = null;
  for (const [place, citation] of places) {
    for (let at = text.indexOf(place); at >= 0; at = text.indexOf(place, at + 1)) {
      // "a.ts:1" is not named by "a.ts:12", nor by "data.ts:1".
      if (/\d/.test(text[at + place.length] ?? "") || /[\w/.-]/.test(text[at - 1] ?? "")) continue;
      if (first === null || at < first.at) first = { at, place, citation };
      break;
    }
  }
  return first;
}
