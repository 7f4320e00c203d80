/** The page of the context map: rectangles by tokens, their strength by evidence, and a table with the same figures. */
import { count, percent, plural, shortCount } from "../figures.ts";
import type { FromMap, MapData } from "../map/messages.ts";
import { layOut, type Box } from "../map/treemap.ts";
import { budgetMeter, button, element } from "./dom.ts";
import "./editor-api.ts";

interface PageState {
  readonly shows: "tokens" | "evidence";
}

/** Rows of the table at most: more are neither read nor fast. */
const maxRows = 500;
const editor = acquireVsCodeApi<FromMap, PageState>();
const heading = element("header", {});
const map = element("div", { class: "map", label: "Context map; the table below has the same figures", role: "img" });
const table = element("section", { class: "figures", label: "Files" });
let data: MapData | null = null;
let shows: PageState["shows"] = editor.getState()?.shows ?? "tokens";

document.querySelector("main")?.append(heading, map, table);

function show(next: PageState["shows"]): void {
  shows = next;
  editor.setState({ shows });
  draw();
}

function draw(): void {
  if (data === null) return;
  drawHeading(data);
  drawMap(data);
  drawTable(data);
}

function drawHeading({ files, question, usedTokens, repositoryTokens }: MapData): void {
  const tab = (name: PageState["shows"], title: string): HTMLButtonElement => {
    const made = button(title, "tab", () => show(name));
    made.setAttribute("aria-pressed", String(shows === name));
    return made;
  };
  heading.replaceChildren(
    element("div", { class: "tabs" }, tab("tokens", "Tokens"), question === null ? null : tab("evidence", "Evidence")),
    element(
      "p",
      {},
      shows === "evidence" && question !== null
        ? `What the answer to “${question}” looked at, as shares of its attention`
        : `${plural(files.length, "file")}, ${count(usedTokens)} of ${count(repositoryTokens)} tokens`,
    ),
    ...(shows === "tokens" ? [budgetMeter(usedTokens, repositoryTokens)] : []),
  );
}

/** Of a box: of its file, or of all files below its folder; null without evidence. */
function evidenceOf({ kind, path, index }: Box, files: MapData["files"]): number | null {
  if (shows !== "evidence") return null;
  if (index !== null) return files[index]?.evidence ?? null;
  if (kind === "rest") return null;
  return files.reduce((sum, file) => sum + (file.path.startsWith(path) ? (file.evidence ?? 0) : 0), 0);
}

function drawMap({ files }: MapData): void {
  const most = Math.max(...files.map(({ evidence }) => evidence ?? 0), 1e-9);
  const boxes = layOut(files, map.clientWidth, map.clientHeight);
  map.replaceChildren(...boxes.map((box) => boxView(box, evidenceOf(box, files), most)));
}

/** `most`: the largest share of a file. */
function boxView(box: Box, evidence: number | null, most: number): HTMLElement {
  const { kind, name, path, tokens, index, fileCount } = box;
  const about = kind === "file" ? `${count(tokens)} tokens` : `${plural(fileCount, "file")}, ${count(tokens)} tokens`;
  const title = `${path}\n${about}${evidence === null ? "" : `\n${percent(evidence)} of the attention`}`;
  const view = element("div", { class: `box ${kind}`, title });
  if (evidence !== null && kind === "file") {
    const heat = element("div", { class: "heat" });
    // Square root: a share of a tenth of the largest is still seen.
    heat.style.opacity = Math.sqrt(evidence / most).toFixed(3);
    view.append(heat);
  }
  if (box.width > 40 && box.height > 15) {
    const figure = evidence === null ? shortCount(tokens) : percent(evidence);
    view.append(element("span", { class: "name" }, kind === "folder" ? `${name}  ${figure}` : name));
    if (kind !== "folder" && box.height > 34) view.append(element("span", { class: "name figure" }, figure));
  }
  view.style.transform = `translate(${box.x}px, ${box.y}px)`;
  view.style.width = `${box.width}px`;
  view.style.height = `${box.height}px`;
  if (index !== null) view.addEventListener("click", () => editor.postMessage({ kind: "open-file", index }));
  return view;
}

function drawTable({ files, blocks, question, usedTokens }: MapData): void {
  const withEvidence = shows === "evidence" && question !== null;
  const rows = files
    .map((file, index) => ({ ...file, index }))
    .sort((a, b) => (withEvidence ? (b.evidence ?? 0) - (a.evidence ?? 0) : b.tokens - a.tokens));
  const head = ["File", "Tokens", "Of the context", ...(withEvidence ? ["Of the attention"] : [])];
  const body = rows.slice(0, maxRows).map(({ path, tokens, evidence, index }) => {
    const open = button(path, "place", () => editor.postMessage({ kind: "open-file", index }), `Open ${path}`);
    const figures = [count(tokens), percent(usedTokens > 0 ? tokens / usedTokens : 0)];
    if (withEvidence) figures.push(percent(evidence ?? 0));
    return element(
      "tr",
      {},
      element("td", {}, open),
      ...figures.map((text) => element("td", { class: "number" }, text)),
    );
  });
  const more = rows.length - body.length;
  table.replaceChildren(
    ...(withEvidence ? [element("h2", {}, "Lines with the most attention"), blockList(blocks)] : []),
    ...(withEvidence ? [element("h2", {}, "Files")] : []),
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...head.map((text) => element("th", {}, text)))),
      element("tbody", {}, ...body),
    ),
    ...(more > 0 ? [element("p", { class: "note" }, `and ${plural(more, "file")} more`)] : []),
  );
}

/** The lines that the answer looked at most. */
function blockList(blocks: MapData["blocks"]): HTMLElement {
  return element(
    "ol",
    { label: "Lines with the most attention" },
    ...blocks.slice(0, 5).map(({ path, line, endLine, share }, index) => {
      const open = (): void => editor.postMessage({ kind: "open-block", index });
      return element("li", {}, button(`${path}:${line}-${endLine}`, "place", open), ` ${percent(share)}`);
    }),
  );
}

window.addEventListener("message", ({ data: message }: MessageEvent<MapData>) => {
  // A new answer is what a person wants to see; the choice of a tab stands until then.
  if (message.question !== null && message.question !== data?.question) shows = "evidence";
  if (message.question === null) shows = "tokens";
  data = message;
  draw();
});
new ResizeObserver(() => {
  if (data) drawMap(data);
}).observe(map);
editor.postMessage({ kind: "ready" });
