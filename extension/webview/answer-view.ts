/** An answer as elements: plain text, what it quotes as code, and the places that the daemon cited as links. */
import type { Citation } from "../../daemon/protocol/ask.ts";
import { answerParts } from "../ask/answer-parts.ts";
import { button, element } from "./dom.ts";

/** What the daemon writes behind a quote that it did not find there; the badge says it already. */
const unverifiedMark = /\s+\(not verified\)\s*$/;

export function answerView(
  answer: string,
  citations: readonly Citation[],
  open: (citation: number) => void,
): readonly Node[] {
  const nodes: Node[] = [];
  const named = new Set<number>();
  let afterPlace = false;
  for (const part of answerParts(answer, citations)) {
    if (part.kind === "place") {
      nodes.push(placeView(citations, part.citation, open));
      named.add(part.citation);
      afterPlace = true;
      continue;
    }
    // "path:line  the line": two spaces part a place from the line that stands there.
    const [, quote] = (afterPlace ? /^ {2}(\S[^\n]*)/.exec(part.text) : null) ?? [];
    if (quote !== undefined) nodes.push(element("code", { class: "line" }, quote.replace(unverifiedMark, "")));
    nodes.push(...proseView(quote === undefined ? part.text : part.text.slice(quote.length + 2).replace(/^\n/, "")));
    afterPlace = false;
  }
  const others = citations.flatMap((_, index) =>
    named.has(index) ? [] : [element("li", {}, placeView(citations, index, open))],
  );
  if (others.length > 0) nodes.push(element("ul", { class: "places", label: "Places" }, ...others));
  return nodes;
}

/** A link, and whether the place was checked. */
function placeView(citations: readonly Citation[], index: number, open: (citation: number) => void): HTMLElement {
  const citation = citations[index];
  if (!citation) return element("span", {});
  const { path, line, verified, stale } = citation;
  const link = button(`${path}:${line}`, "place", () => open(index), `Open ${path} at line ${line}`);
  return element(
    "span",
    { class: "cited" },
    link,
    verified
      ? badge("checked", "good", "The quoted text stands on that line of the file as it is now.")
      : badge("not verified", "doubt", "The quoted text was not found on that line."),
    stale ? badge("changed", "doubt", "The file changed after it was read.") : null,
  );
}

function badge(text: string, kind: "good" | "doubt", title: string): HTMLElement {
  return element("span", { class: `badge ${kind}`, title }, text);
}

/** Text with `code` between backquotes set apart; no other markup is read. */
function proseView(text: string): readonly Node[] {
  return text
    .split(/(`[^`\n]+`)/)
    .filter((piece) => piece !== "")
    .map((piece) =>
      /^`[^`\n]+`$/.test(piece) ? element("code", {}, piece.slice(1, -1)) : document.createTextNode(piece),
    );
}
