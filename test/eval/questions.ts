/** Questions about definitions, and about names that are not there, in phrasings that training never used. */
import phrasings from "../../training/phrasings.json" with { type: "json" };
import { definedOnce, type Definition, findDefinitions } from "./definitions.ts";
import type { Random } from "./random.ts";

export type Question =
  | { readonly kind: "definition"; readonly text: string; readonly definition: Definition }
  | { readonly kind: "absent"; readonly text: string; readonly name: string };

export interface PackedText {
  readonly path: string;
  readonly text: string;
}

export function makeQuestions(
  files: readonly PackedText[],
  counts: { readonly definitions: number; readonly absent: number },
  random: Random,
): Question[] {
  const all = definedOnce(files.flatMap(({ path, text }) => findDefinitions(path, text)));
  const questions: Question[] = random
    .shuffle(all)
    .slice(0, counts.definitions)
    .map((definition) => ({ kind: "definition", text: ask(random, definition.name), definition }));
  if (all.length === 0) return questions;
  const everything = files.map(({ text }) => text).join("\n");
  for (let made = 0; made < counts.absent;) {
    const name = absentName(random, all);
    if (everything.includes(name)) continue;
    questions.push({ kind: "absent", text: ask(random, name), name });
    made += 1;
  }
  return questions;
}

function ask(random: Random, name: string): string {
  const shown = random.pick([name, name, `\`${name}\``]);
  return random.pick(phrasings.test.where).replace("{x}", shown);
}

/** A plausible name: words of two real ones, joined anew. */
function absentName(random: Random, definitions: readonly Definition[]): string {
  const words = (name: string): string[] => name.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? [name];
  const first = words(random.pick(definitions).name);
  const second = words(random.pick(definitions).name);
  const joined = [...first.slice(0, Math.ceil(first.length / 2)), ...second.slice(Math.floor(second.length / 2))];
  return joined
    .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()))
    .join("");
}
