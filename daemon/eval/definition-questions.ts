/** Questions about definitions, and about names that are not there, in phrasings that training never used. */
import phrasings from "../../training/phrasings.json" with { type: "json" };
import { definedOnce, type Definition } from "./definitions.ts";
import type { Random } from "./random.ts";
import type { TextFile } from "./sample.ts";

export type Question =
  | { readonly kind: "definition"; readonly text: string; readonly definition: Definition }
  /** A name that another package defines. */
  | { readonly kind: "absent"; readonly text: string }
  /** A name made of halves of two that are there: hard to tell from either. */
  | { readonly kind: "near-miss"; readonly text: string };

export interface QuestionCounts {
  readonly definitions: number;
  /** As many near misses are asked, too. */
  readonly absent: number;
}

/** @param foreignNames defined elsewhere; those that `files` mention are not asked about */
export function makeQuestions(
  files: readonly TextFile[],
  foreignNames: readonly string[],
  counts: QuestionCounts,
  random: Random,
): Question[] {
  const defined = definedOnce(files);
  if (defined.length === 0) return [];
  const everything = files.map(({ text }) => text).join("\n");
  const foreign = random.shuffle(foreignNames).filter((name) => !everything.includes(name));
  const nearMisses = new Set<string>();
  for (let tries = 0; tries < 100 * counts.absent && nearMisses.size < counts.absent; tries += 1) {
    const name = nearMiss(random, defined);
    if (!everything.includes(name)) nearMisses.add(name);
  }
  return [
    ...random
      .shuffle(defined)
      .slice(0, counts.definitions)
      .map((definition): Question => ({ kind: "definition", text: ask(random, definition.name), definition })),
    ...foreign.slice(0, counts.absent).map((name): Question => ({ kind: "absent", text: ask(random, name) })),
    ...[...nearMisses].map((name): Question => ({ kind: "near-miss", text: ask(random, name) })),
  ];
}

function ask(random: Random, name: string): string {
  const shown = random.pick([name, name, `\`${name}\``]);
  return random.pick(phrasings.test.where).replace("{x}", shown);
}

function nearMiss(random: Random, definitions: readonly Definition[]): string {
  const words = (name: string): string[] => name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? [name];
  const first = words(random.pick(definitions).name);
  const second = words(random.pick(definitions).name);
  const joined = [...first.slice(0, Math.ceil(first.length / 2)), ...second.slice(Math.floor(second.length / 2))];
  return joined
    .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()))
    .join("");
}
