/**
 * The synthetic tasks of RULER (Hsieh et al., "RULER: What's the Real Context Size of Your Long-Context Language Models?",
 * arXiv 2404.06654, section 3 and appendix B), written anew from their definitions; wording and haystacks are ours. A task
 * makes a context of `size` units (lines or words) and one question.
 */
import { type Haystack, hide, noiseHaystack } from "./haystack.ts";
import type { Random } from "./random.ts";
import { containsAll, type EvalQuestion } from "./sample.ts";
import { distinct, makeKey, makeNumber, makeUuid, makeVariable, makeWord } from "./vocabulary.ts";

export interface Made {
  readonly lines: readonly string[];
  readonly question: EvalQuestion;
}

export interface RulerTask {
  readonly name: string;
  /** `depth`: of the first needle, else drawn at random. */
  make(size: number, random: Random, essay: Haystack, depth?: number): Made;
}

interface NeedleTask {
  readonly haystack: "noise" | "essay" | "needles";
  readonly keyKind: "word" | "uuid";
  readonly valueKind: "number" | "uuid";
  /** Keys that are in the context, values to each, and keys that are asked for. */
  readonly keys: number;
  readonly values: number;
  readonly queries: number;
}

const needleTasks: Readonly<Record<string, NeedleTask>> = {
  "niah-single-1": { haystack: "noise", keyKind: "word", valueKind: "number", keys: 1, values: 1, queries: 1 },
  "niah-single-2": { haystack: "essay", keyKind: "word", valueKind: "number", keys: 1, values: 1, queries: 1 },
  "niah-single-3": { haystack: "essay", keyKind: "word", valueKind: "uuid", keys: 1, values: 1, queries: 1 },
  "niah-multikey-1": { haystack: "essay", keyKind: "word", valueKind: "number", keys: 4, values: 1, queries: 1 },
  "niah-multikey-2": { haystack: "needles", keyKind: "word", valueKind: "number", keys: 1, values: 1, queries: 1 },
  "niah-multikey-3": { haystack: "needles", keyKind: "uuid", valueKind: "uuid", keys: 1, values: 1, queries: 1 },
  "niah-multivalue": { haystack: "essay", keyKind: "word", valueKind: "number", keys: 1, values: 4, queries: 1 },
  "niah-multiquery": { haystack: "essay", keyKind: "word", valueKind: "number", keys: 4, values: 1, queries: 4 },
};

function needleTask(name: string, task: NeedleTask): RulerTask {
  const thing = task.valueKind === "uuid" ? "code" : "number";
  return {
    name,
    make(size, random, essay, depth) {
      const key = (): string => (task.keyKind === "uuid" ? makeUuid(random) : makeKey(random));
      const value = (): string => (task.valueKind === "uuid" ? makeUuid(random) : makeNumber(random));
      const needle = (of: string, is: string): string => `The secret ${thing} of ${of} is ${is}.`;
      const straw =
        task.haystack === "noise"
          ? noiseHaystack.lines(size)
          : task.haystack === "essay"
            ? essay.lines(size)
            : Array.from({ length: size }, () => needle(key(), value()));
      const pairs = distinct(task.keys, key).map((name_) => ({ key: name_, values: distinct(task.values, value) }));
      const needles = pairs.flatMap((pair) => pair.values.map((text) => needle(pair.key, text)));
      const asked = pairs.slice(0, task.queries);
      const names = asked.map((pair) => pair.key).join(", ");
      const plural = task.values * task.queries > 1;
      return {
        lines: hide(
          straw,
          needles.map((text, index) => ({ text, depth: index === 0 && depth !== undefined ? depth : random.next() })),
        ),
        question: {
          text: plural ? `What are all the secret ${thing}s of ${names}?` : `What is the secret ${thing} of ${names}?`,
          score: containsAll(asked.flatMap((pair) => pair.values)),
          maxTokens: 128,
        },
      };
    },
  };
}

const hops = 4;

/** One chain of assignments, `hops` long, scattered over noise: which names hold the value at its head? */
const variableTracking: RulerTask = {
  name: "variable-tracking",
  make(size, random) {
    const names = distinct(hops + 1, () => makeVariable(random));
    const value = String(10_000 + Math.floor(random.next() * 90_000));
    const depths = names.map(() => random.next()).sort((a, b) => a - b);
    const chain = names.map((name, index) => ({
      text: `VAR ${name} = ${index === 0 ? value : `VAR ${names[index - 1] ?? ""}`}`,
      depth: depths[index] ?? 0,
    }));
    return {
      lines: hide(noiseHaystack.lines(size), chain),
      question: {
        text: `Which variables hold the value ${value}, directly or through others? Name all ${String(names.length)}.`,
        score: containsAll(names),
        maxTokens: 64,
      },
    };
  },
};

const wordsPerLine = 10;

function inLines(words: readonly string[]): string[] {
  return Array.from({ length: Math.ceil(words.length / wordsPerLine) }, (_, line) =>
    words.slice(line * wordsPerLine, (line + 1) * wordsPerLine).join(" "),
  );
}

const commonCount = 10;
const commonTimes = 30;
const uncommonTimes = 3;

/** Ten words stand there thirty times each, all others three times. */
const commonWords: RulerTask = {
  name: "common-words",
  make(size, random) {
    const uncommonCount = Math.max(1, Math.floor((size * wordsPerLine - commonCount * commonTimes) / uncommonTimes));
    const words = distinct(commonCount + uncommonCount, () => makeWord(random));
    const common = words.slice(0, commonCount);
    const drawn = words.flatMap((word, index) =>
      new Array<string>(index < commonCount ? commonTimes : uncommonTimes).fill(word),
    );
    return {
      lines: inLines(random.shuffle(drawn)),
      question: {
        text: `Which ten words appear most often in the text?`,
        score: containsAll(common),
        maxTokens: 120,
      },
    };
  },
};

const zetaExponent = 2;
const frequentVocabulary = 2000;

/** Words by a zeta distribution; the first in rank is left out as noise ("..."), the next three are asked for. */
const frequentWords: RulerTask = {
  name: "frequent-words",
  make(size, random) {
    const words = distinct(frequentVocabulary, () => makeWord(random));
    const weights = words.map((_, rank) => (rank + 1) ** -zetaExponent);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const drawn = words.flatMap((word, rank) => {
      const times = Math.round((size * wordsPerLine * (weights[rank] ?? 0)) / total);
      return new Array<string>(times).fill(rank === 0 ? "..." : word);
    });
    return {
      lines: inLines(random.shuffle(drawn)),
      question: {
        text: "Which three words appear most often in the text? Do not count the dots.",
        score: containsAll(words.slice(1, 4)),
        maxTokens: 50,
      },
    };
  },
};

export const rulerTasks: readonly RulerTask[] = [
  ...Object.entries(needleTasks).map(([name, task]) => needleTask(name, task)),
  variableTracking,
  commonWords,
  frequentWords,
];
