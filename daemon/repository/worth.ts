import type { FileClass } from "./file-class.ts";
import type { RepositoryScan } from "./scan-types.ts";

/**
 * How much each file gives for its room: the names that it defines and others mention, over its size. What more files mention
 * is asked about more often, but counts only a little more: the fourth root of their number, which finds more of what tests
 * mention (`npm run eval:selection`) than the number itself, its square root, or each name alike.
 *
 * @returns by path; larger is better, 0 where nothing is defined that others mention
 */
export function fileWorths({ files, memory }: RepositoryScan): Map<string, number> {
  const read = files.flatMap(({ path, sizeBytes, fileClass }) => {
    const verdict = memory.records.get(path)?.verdict;
    return verdict?.kind === "text" ? [{ path, sizeBytes, fileClass, names: verdict.names }] : [];
  });
  const of = (classes: readonly FileClass[]): typeof read => read.filter((file) => classes.includes(file.fileClass));
  const definers = count(of(["source"]).map(({ names }) => names.defined));
  const mentions = count(
    of(["source", "docs", "overview"]).map(({ names }) => names.mentioned),
    definers,
  );
  const worthOf = (name: number): number => {
    const places = definers.get(name) ?? 0;
    const others = (mentions.get(name) ?? 0) - places;
    return others > 0 && places >= 1 && places <= mostDefiners ? others ** 0.25 / places : 0;
  };
  return new Map(
    read.map(({ path, sizeBytes, names }) => {
      const sum = names.defined.reduce((total, name) => total + worthOf(name), 0);
      return [path, sum / (sizeBytes + headerBytes)];
    }),
  );
}

/** A name that more files define stands for none of them. */
const mostDefiners = 3;
/** What a file takes of the context beside its text, about: its header. */
const headerBytes = 64;

/** In how many of the lists a name is, of those in `only`. */
function count(lists: readonly Uint32Array[], only?: ReadonlyMap<number, number>): Map<number, number> {
  const counts = new Map<number, number>();
  for (const list of lists) {
    for (const name of list) if (only?.has(name) !== false) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
