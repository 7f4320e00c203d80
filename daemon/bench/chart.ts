/** Seconds of prefill by tokens, a line to a mode, both axes in powers of two and ten. Readable on light and dark pages. */
import type { PrefillResult, PrefillRow } from "./result.ts";

const left = 70;
const top = 40;
const plot = { width: 520, height: 300 };
/** Told apart without red and green, and by their marks and labels. */
const colours = ["#b45309", "#1d4ed8", "#6b21a8"];

export function drawChart({ rows }: PrefillResult): string {
  const modes = [...new Set(rows.map(({ mode }) => mode))];
  const x = scale(
    rows.map(({ tokens }) => tokens),
    left,
    left + plot.width,
  );
  const y = scale(
    rows.map(({ prefillMs }) => prefillMs / 1000),
    top + plot.height,
    top,
  );
  const lengths = [...new Set(rows.map(({ tokens }) => tokens))];
  const ticks = [0.01, 0.1, 1, 10, 100, 1000, 10000].filter(
    (seconds) => y(seconds) >= top && y(seconds) <= top + plot.height,
  );
  const parts = [
    text(left, 20, "Prefill, seconds by tokens of context", "start"),
    ...ticks.map(
      (seconds) =>
        line(left, y(seconds), left + plot.width, y(seconds)) + text(left - 8, y(seconds) + 4, String(seconds), "end"),
    ),
    ...lengths.map((tokens) => text(x(tokens), top + plot.height + 18, short(tokens), "middle")),
    line(left, top + plot.height, left + plot.width, top + plot.height),
    ...modes.map((mode, at) => {
      const points = rows
        .filter((row) => row.mode === mode)
        .map((row): [number, number] => [x(row.tokens), y(row.prefillMs / 1000)]);
      return drawMode(mode, points, colours[at % colours.length] ?? "#222222", rows);
    }),
  ];
  const width = left + plot.width + 100;
  const height = top + plot.height + 40;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(height)}" ` +
    `width="${String(width)}" height="${String(height)}" font-family="sans-serif" font-size="12">` +
    `<rect width="100%" height="100%" fill="#ffffff"/>${parts.join("")}</svg>\n`
  );
}

function drawMode(
  mode: string,
  points: readonly [number, number][],
  colour: string,
  rows: readonly PrefillRow[],
): string {
  const path = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
  const marks = points.map(
    ([px, py]) => `<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="3.5" fill="${colour}"/>`,
  );
  const [px, py] = points.at(-1) ?? [0, 0];
  const last = rows.filter((row) => row.mode === mode).at(-1);
  const label = `${mode}, ${last ? (last.prefillMs / 1000).toFixed(last.prefillMs < 10_000 ? 1 : 0) : ""} s`;
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${marks.join("")}${text(px + 8, py + 4, label, "start", colour)}`;
}

/** Logarithmic, from the least to the largest of the values, with some room when they are all the same. */
function scale(values: readonly number[], from: number, to: number): (value: number) => number {
  const low = Math.log(Math.min(...values) * 0.8);
  const high = Math.log(Math.max(...values) * 1.25);
  return (value) => from + ((Math.log(value) - low) / (high - low)) * (to - from);
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  const place = [x1, y1, x2, y2].map((value) => value.toFixed(1));
  return `<line x1="${place[0] ?? ""}" y1="${place[1] ?? ""}" x2="${place[2] ?? ""}" y2="${place[3] ?? ""}" stroke="#dddddd"/>`;
}

function text(x: number, y: number, content: string, anchor: string, fill = "#222222"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${fill}">${content}</text>`;
}

function short(tokens: number): string {
  return tokens % 1024 === 0 ? `${String(tokens / 1024)}K` : tokens.toLocaleString("en-US");
}
