/**
 * `npm run eval:selection -- DIR...`: when only a share of a repository's source fits into the context, how many of the names
 * that its tests mention are defined in what was taken; by size, and by what files give for their room. Each name once, and
 * each as often as test files mention it. Tests have no say in what files give (daemon/repository/worth.ts), so they stand
 * for what people ask about.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { findDefinitions } from "../../daemon/eval/definitions.ts";
import { fileWorths, scanRepository, type ScannedFile } from "../../daemon/repository/index.ts";

/** Names that are no English words: with inner capitals, digits or underscores, or a capital ahead. */
const codeLike = /[a-z][A-Z]|[A-Za-z]\d|[_$]|^[A-Z]/;
const mostDefiners = 2;

async function evaluate(root: string): Promise<string[]> {
  const scan = await scanRepository(root);
  const ofClass = (wanted: string): ScannedFile[] => scan.files.filter(({ fileClass }) => fileClass === wanted);
  const read = (file: ScannedFile): Promise<string> => readFile(path.join(scan.root, file.path), "utf8");
  const source = ofClass("source");

  const definers = new Map<string, Set<ScannedFile>>();
  for (const file of source) {
    for (const { name } of findDefinitions(file.path, await read(file))) {
      definers.set(name, (definers.get(name) ?? new Set()).add(file));
    }
  }
  /** In how many test files. */
  const asked = new Map<string, number>();
  for (const file of ofClass("test")) {
    for (const name of new Set((await read(file)).match(/[A-Za-z_$][\w$]{3,}/g))) {
      const places = definers.get(name)?.size ?? 0;
      if (places >= 1 && places <= mostDefiners && codeLike.test(name)) asked.set(name, (asked.get(name) ?? 0) + 1);
    }
  }

  const worths = fileWorths(scan);
  const worthOf = (file: ScannedFile): number => worths.get(file.path) ?? 0;
  const orders = [
    source.toSorted((a, b) => a.sizeBytes - b.sizeBytes),
    source.toSorted((a, b) => worthOf(b) - worthOf(a) || a.sizeBytes - b.sizeBytes),
  ];
  const total = source.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [0.15, 0.3, 0.5].map((share) => {
    const found = orders.map((order) => {
      const taken = takeFirst(order, share * total);
      const known = [...asked].filter(([name]) => [...(definers.get(name) ?? [])].some((file) => taken.has(file)));
      const sum = (counts: readonly (readonly [string, number])[]): number => counts.reduce((all, [, n]) => all + n, 0);
      const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(0)} %`;
      return `${percent(known.length, asked.size)}, ${percent(sum(known), sum([...asked]))}`;
    });
    const cells = [path.basename(root), `${(100 * share).toFixed(0)} % of ${String(source.length)} files`, asked.size];
    return `| ${[...cells, ...found].join(" | ")} |`;
  });
}

/** What fits of the files, in their order; smaller ones behind one that does not still get their chance. */
function takeFirst(files: readonly ScannedFile[], bytes: number): Set<ScannedFile> {
  const taken = new Set<ScannedFile>();
  let left = bytes;
  for (const file of files) {
    if (file.sizeBytes > left) continue;
    taken.add(file);
    left -= file.sizeBytes;
  }
  return taken;
}

console.log(
  "| repository | source taken | names that tests mention | defined there, small files first | most telling first |",
);
console.log("| --- | --- | --- | --- | --- |");
for (const root of process.argv.slice(2)) for (const line of await evaluate(path.resolve(root))) console.log(line);
