/** Made-up words, numbers and sentences for synthetic tasks: nothing that a model could know beforehand. */
import type { Random } from "./random.ts";

const onsets = [
  "b",
  "br",
  "d",
  "dr",
  "f",
  "fl",
  "g",
  "gr",
  "k",
  "kl",
  "l",
  "m",
  "n",
  "p",
  "pl",
  "r",
  "s",
  "st",
  "t",
  "v",
];
const vowels = ["a", "e", "i", "o", "u"];
const codas = ["", "", "l", "m", "n", "r", "s", "t"];

/** A pronounceable word of two or three syllables. */
export function makeWord(random: Random): string {
  const syllables = 2 + Math.floor(random.next() * 2);
  const parts = Array.from({ length: syllables }, () => random.pick(onsets) + random.pick(vowels) + random.pick(codas));
  return parts.join("");
}

/** `count` different ones of what `make` makes. */
export function distinct(count: number, make: () => string): string[] {
  const made = new Set<string>();
  while (made.size < count) made.add(make());
  return [...made];
}

/** Two words with a hyphen: the keys of needles. */
export function makeKey(random: Random): string {
  return `${makeWord(random)}-${makeWord(random)}`;
}

/** Seven digits, as RULER's. */
export function makeNumber(random: Random): string {
  return String(1_000_000 + Math.floor(random.next() * 9_000_000));
}

export function makeUuid(random: Random): string {
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random.next() * 16).toString(16)).join("");
  return [hex(8), hex(4), `4${hex(3)}`, `a${hex(3)}`, hex(12)].join("-");
}

/** Five capitals: names of variables. */
export function makeVariable(random: Random): string {
  return Array.from({ length: 5 }, () => String.fromCharCode(65 + Math.floor(random.next() * 26))).join("");
}

/** The same few sentences over and over: the haystack that has nothing to tell. */
export const noise = [
  "The river is wide.",
  "The road is long.",
  "We walk on and then we rest.",
  "Nothing else is here.",
];
