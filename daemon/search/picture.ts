/** A search as a picture: the pattern of each head, the attention that each layer keeps, and what each candidate costs. */
import type { PatternName } from "./head-pattern-file.ts";
import type { SearchReport } from "./report.ts";

const cell = 26;
const left = 70;
const top = 64;
const gap = 64;
const barWidth = 160;
const barHeight = 16;

/** Told apart without red and green, on light and on dark pages. */
const colours: Readonly<Record<PatternName, { readonly fill: string; readonly mark: string; readonly label: string }>> =
  {
    stream_llm: { fill: "#e69f00", mark: "A", label: "A-shape" },
    vertical_and_slash: { fill: "#3b78c4", mark: "V", label: "vertical-slash" },
    block_sparse: { fill: "#7a5195", mark: "B", label: "block-sparse" },
  };

export function drawSearch(report: SearchReport): string {
  const heads = Math.max(1, ...report.layers.map((layer) => layer.heads.length));
  const recallLeft = left + heads * cell + gap;
  const costLeft = recallLeft + barWidth + gap + 170;
  const width = costLeft + barWidth + gap;
  const rows = Math.max(report.layers.length, report.candidates.length);
  const height = top + rows * cell + 60;
  const parts = [
    text(left, 22, `Head patterns of ${report.model}`, "start"),
    ...drawLegend(height - 24),
    text(left, top - 30, "pattern by layer and head", "start"),
    ...Array.from({ length: heads }, (_, head) => text(left + (head + 0.5) * cell, top - 8, String(head), "middle")),
    ...report.layers.flatMap((layer, row) => [
      text(left - 10, top + (row + 0.65) * cell, `layer ${String(layer.layer)}`, "end"),
      ...layer.heads.map(({ head, name }) => drawHead(left + head * cell, top + row * cell, name)),
      ...drawBar(recallLeft, top + row * cell, layer.recall, `${(100 * layer.recall).toFixed(1)} %`, "#5a5a5a"),
    ]),
    text(recallLeft, top - 30, "attention kept, by layer", "start"),
    text(costLeft - 170, top - 30, "cost per row of a head: attention and index", "start"),
    ...drawCosts(report, costLeft),
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(height)}" ` +
    `width="${String(width)}" height="${String(height)}" font-family="sans-serif" font-size="12">` +
    `<rect width="100%" height="100%" fill="#ffffff"/>${parts.join("")}</svg>\n`
  );
}

function drawHead(x: number, y: number, name: PatternName): string {
  const { fill, mark } = colours[name];
  return box(x, y, cell - 2, cell - 2, fill) + text(x + cell / 2 - 1, y + cell / 2 + 4, mark, "middle", "#ffffff");
}

function drawLegend(y: number): string[] {
  return Object.values(colours).flatMap(({ fill, mark, label }, index) => {
    const x = left + index * 130;
    return [
      box(x, y - 12, 16, 16, fill),
      text(x + 8, y + 1, mark, "middle", "#ffffff"),
      text(x + 22, y + 1, label, "start"),
    ];
  });
}

function drawCosts({ candidates }: SearchReport, x: number): string[] {
  const cost = (row: SearchReport["candidates"][number]): number => row.attentionNsPerRow + row.indexNsPerRow;
  const most = Math.max(1, ...candidates.map(cost));
  return candidates.flatMap((row, index) => {
    const y = top + index * cell;
    const micros = `${(cost(row) / 1000).toFixed(2)} µs`;
    return [
      text(x - 8, y + barHeight - 2, row.label, "end"),
      ...drawBar(x, y, cost(row) / most, micros, colours[row.name].fill),
    ];
  });
}

function drawBar(x: number, y: number, share: number, label: string, fill: string): string[] {
  const length = Math.max(1, share * (barWidth - 10));
  return [box(x, y + 2, length, barHeight, fill), text(x + length + 6, y + barHeight - 1, label, "start")];
}

function box(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}" fill="${fill}"/>`;
}

function text(x: number, y: number, content: string, anchor: string, fill = "#222222"): string {
  const safe = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${number(x)}" y="${number(y)}" text-anchor="${anchor}" fill="${fill}">${safe}</text>`;
}

function number(value: number): string {
  return String(Math.round(10 * value) / 10);
}
