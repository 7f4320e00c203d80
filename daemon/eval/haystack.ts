/** Text to hide needles in. */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { Failure } from "../failure/failure.ts";
import { noise } from "./vocabulary.ts";
import type { TextFile } from "./sample.ts";

/** Lines of a haystack; asked for more than there are, it begins again. */
export interface Haystack {
  lines(count: number): string[];
}

export const noiseHaystack: Haystack = {
  lines: (count) => Array.from({ length: count }, (_, index) => noise[index % noise.length] ?? ""),
};

const textFile = /\.(?:md|markdown|txt|rst)$/i;

/** The prose of a text file, or of every text file below a folder. Throws `no-such-folder`, `empty-repository`. */
export async function readHaystack(place: string): Promise<Haystack> {
  const found = await stat(place).catch(() => null);
  if (found === null) throw new Failure("no-such-folder", `There is no text at ${place}.`);
  const files = found.isFile()
    ? [place]
    : (await readdir(place, { recursive: true }))
        .filter((name) => textFile.test(name))
        .sort()
        .map((name) => path.join(place, name));
  const all: string[] = [];
  for (const file of files) {
    for (const line of (await readFile(file, "utf8").catch(() => "")).split(/\r?\n/)) {
      // Sentences, not tables, badges and code.
      if (line.length > 40 && line.length < 400 && /^[A-Z][^|<>{}]*[.:]\s*$/.test(line)) all.push(line.trim());
    }
  }
  if (all.length < 50) throw new Failure("empty-repository", `There are fewer than 50 lines of prose in ${place}.`);
  return { lines: (count) => Array.from({ length: count }, (_, index) => all[index % all.length] ?? "") };
}

const linesPerFile = 200;

/** Files in the order of their lines: the names sort as the text runs. */
export function toFiles(lines: readonly string[]): TextFile[] {
  const files: TextFile[] = [];
  for (let start = 0; start < lines.length; start += linesPerFile) {
    const number = String(files.length + 1).padStart(5, "0");
    files.push({ path: `text/part-${number}.txt`, text: `${lines.slice(start, start + linesPerFile).join("\n")}\n` });
  }
  return files;
}

/** `needles` between the lines, each at its depth from 0 (first line) to 1 (last). */
export function hide(
  lines: readonly string[],
  needles: readonly { readonly text: string; readonly depth: number }[],
): string[] {
  const places = needles.map(({ text, depth }) => ({ text, at: Math.round(depth * lines.length) }));
  const hidden: string[] = [];
  for (const [index, line] of [...lines, null].entries()) {
    hidden.push(...places.filter(({ at }) => at === index).map(({ text }) => text));
    if (line !== null) hidden.push(line);
  }
  return hidden;
}
