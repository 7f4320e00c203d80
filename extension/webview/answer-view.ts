/** An answer as elements: plain text, what it quotes as code, and the places that the daemon cited as links. */
import type { Citation } from "../../daemon/protocol/ask.ts";
import { answerParts } from "../ask/answer-parts.ts";
import { button, element } from "./dom.ts";

export function answerView(
  answer: string,
  citations: readonly Citation[],
  open: (citation: number) => void,
): readonly Node[] {
  const nodes: Node[] = [];
  const named = new Set<number>();
  for (const part of answerParts(answer, citations)) {
    switch (part.kind) {
      case "place":
        nodes.push(placeView(citations, part.citation, open));
        named.add(part.citation);
        break;
      case "quote":
        nodes.push(element("code", { class: "line" }, part.text));
        break;
      case "text":
        nodes.push(...proseView(part.text));
        break;
    }
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
      : badge("not verified", "doubt", "The quoted text, or the name asked for, was not found there."),
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
