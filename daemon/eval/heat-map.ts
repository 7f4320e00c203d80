/** A needle grid as a picture: length across, depth down, one panel to a mode. Readable on light and on dark pages. */
import type { Answered, EvalMode } from "./runner.ts";
import { mean } from "./statistics.ts";

const cell = 44;
const left = 70;
const top = 56;
const gap = 60;

export function drawHeatMap(answers: readonly Answered[], modes: readonly EvalMode[]): string {
  const lengths = sortedNumbers(answers.map(({ tokens }) => tokens));
  const depths = sortedNumbers(answers.map(({ depth }) => depth ?? 0));
  const panel = left + lengths.length * cell;
  const width = modes.length * panel + (modes.length - 1) * gap + 20;
  const height = top + depths.length * cell + 40;
  const panels = modes.map((mode, at) => {
    const x0 = at * (panel + gap) + left;
    const cells = lengths.flatMap((tokens, column) =>
      depths.map((depth, row) => {
        const scores = answers
          .filter((answer) => answer.tokens === tokens && (answer.depth ?? 0) === depth)
          .map((answer) => answer.scores[at] ?? 0);
        return drawCell(x0 + column * cell, top + row * cell, scores);
      }),
    );
    const columns = lengths.map((tokens, column) =>
      text(x0 + (column + 0.5) * cell, top - 8, shortCount(tokens), "middle"),
    );
    const rows = depths.map((depth, row) =>
      text(x0 - 8, top + (row + 0.6) * cell, `${String(Math.round(100 * depth))} %`, "end"),
    );
    return [
      text(x0, 20, `${mode}: depth of the needle by tokens of context`, "start"),
      ...columns,
      ...rows,
      ...cells,
    ].join("");
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(height)}" ` +
    `width="${String(width)}" height="${String(height)}" font-family="sans-serif" font-size="12">` +
    `<rect width="100%" height="100%" fill="#ffffff"/>${panels.join("")}</svg>\n`
  );
}

/** From orange (0) to blue (1): told apart without red and green, and the figure stands in the cell. */
function drawCell(x: number, y: number, scores: readonly number[]): string {
  const share = mean(scores);
  const mix = (low: number, high: number): string => String(Math.round(low + (high - low) * share));
  const fill = scores.length === 0 ? "#eeeeee" : `rgb(${mix(230, 60)},${mix(140, 130)},${mix(60, 200)})`;
  const size = String(cell - 2);
  const label = scores.length === 0 ? "" : String(Math.round(100 * share));
  return (
    `<rect x="${String(x)}" y="${String(y)}" width="${size}" height="${size}" fill="${fill}"/>` +
    text(x + cell / 2 - 1, y + cell / 2 + 4, label, "middle", "#ffffff")
  );
}

function text(x: number, y: number, content: string, anchor: string, fill = "#222222"): string {
  return `<text x="${String(x)}" y="${String(y)}" text-anchor="${anchor}" fill="${fill}">${content}</text>`;
}

function shortCount(tokens: number): string {
  return tokens % 1024 === 0 ? `${String(tokens / 1024)}K` : tokens.toLocaleString("en-US");
}

function sortedNumbers(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
