/** The command line of `longsight eval`. */
import { parseArgs } from "node:util";
import { Failure } from "../failure/failure.ts";
import type { EvalMode } from "./runner.ts";
import { rulerTasks } from "./ruler.ts";

export const repositoryTasks = ["definitions", "callers", "imports"] as const;
export type RepositoryTask = (typeof repositoryTasks)[number];

const groups: Readonly<Record<string, readonly string[]>> = {
  ruler: rulerTasks.map(({ name }) => name),
  repository: repositoryTasks,
  grid: ["grid"],
  questions: ["questions"],
  perplexity: ["perplexity"],
};
const names = new Set([...Object.keys(groups), ...Object.values(groups).flat()]);

export interface EvalOptions {
  readonly tasks: readonly string[];
  readonly model: string | undefined;
  readonly lengths: readonly number[];
  /** Questions to a task and length. */
  readonly samples: number;
  readonly depths: number;
  readonly modes: readonly EvalMode[];
  readonly patterns: string | undefined;
  readonly recallFloor: number | undefined;
  readonly text: string | undefined;
  readonly repo: string | undefined;
  readonly questions: string | undefined;
  readonly seed: number;
  readonly picture: string | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
}

export const evalHelp = `Usage: longsight eval [options] TASK...

Asks generated questions of the model in dense and in sparse prefill, the same ones in both, and prints how often each was
right, how they differ, and how sure that is (95 % intervals: paired bootstrap; Wilson for shares).

Tasks: repository (definitions, callers, imports), ruler (${rulerTasks.map(({ name }) => name).join(", ")}),
grid (needles by length and depth), questions (InfiniteBench's or RULER's JSON lines from --questions), perplexity (of the end
of long texts: packages, or PG-19 or any other text with --text).

  --model DIR         a Hugging Face model folder; default: $LONGSIGHT_MODEL, else the bundled model
  --lengths N,N       tokens of context (default 8192)
  --samples N         questions to each task and length (default 20)
  --modes A,B         dense,sparse (default both)
  --patterns FILE     head patterns of the sparse runs; default: the model's own
  --recall-floor N    attention that each head must keep, 0 to 1 (0: no guard; default: as the patterns say, else 0.95)
  --text PATH         prose for haystacks: a file or a folder; default: the Markdown that came with the installation
  --repo DIR          code for the repository tasks; default: packages that the bundled model was not trained on
  --questions FILE    for the task "questions"
  --depths N          rows of the grid (default 5)
  --picture FILE      where the grid's SVG goes
  --seed N            another seed, other questions (default 1)
  --json              one JSON object: rows and answers
  --verbose           each question and its answers on stderr
`;

/** Throws `invalid-argument`. */
export function readEvalOptions(args: readonly string[]): EvalOptions {
  const { values, positionals } = parse(args);
  const unknown = positionals.find((name) => !names.has(name));
  if (unknown !== undefined) throw mistake(`There is no task "${unknown}"; there are ${[...names].join(", ")}.`);
  const tasks = [...new Set(positionals.flatMap((name) => groups[name] ?? [name]))];
  if (tasks.length === 0 && values.help !== true) throw mistake("Name a task, such as repository or ruler.");
  if (tasks.includes("questions") && values.questions === undefined) {
    throw mistake('The task "questions" needs --questions FILE.');
  }
  return {
    tasks,
    model: values.model,
    lengths: values.lengths.split(",").map((text) => integer("lengths", text, 2048, 16_777_216)),
    samples: integer("samples", values.samples, 1, 100_000),
    depths: integer("depths", values.depths, 2, 100),
    modes: values.modes.split(",").map(readMode),
    patterns: values.patterns,
    recallFloor: values["recall-floor"] === undefined ? undefined : share("recall-floor", values["recall-floor"]),
    text: values.text,
    repo: values.repo,
    questions: values.questions,
    seed: integer("seed", values.seed, 0, 2 ** 31 - 1),
    picture: values.picture,
    json: values.json ?? false,
    verbose: values.verbose ?? false,
    help: values.help ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        model: { type: "string" },
        lengths: { type: "string", default: "8192" },
        samples: { type: "string", default: "20" },
        depths: { type: "string", default: "5" },
        modes: { type: "string", default: "dense,sparse" },
        patterns: { type: "string" },
        "recall-floor": { type: "string" },
        text: { type: "string" },
        repo: { type: "string" },
        questions: { type: "string" },
        seed: { type: "string", default: "1" },
        picture: { type: "string" },
        json: { type: "boolean" },
        verbose: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (thrown) {
    throw mistake(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function readMode(text: string): EvalMode {
  if (text === "dense" || text === "sparse") return text;
  throw mistake(`--modes takes dense, sparse or both with a comma, not "${text}".`);
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw mistake(`--${name} takes whole numbers from ${String(least)} to ${String(most)}, not "${text}".`);
}

function share(name: string, text: string): number {
  const value = Number(text);
  if (/^(?:\d+|\d*\.\d+)$/.test(text) && value <= 1) return value;
  throw mistake(`--${name} takes a number from 0 to 1, not "${text}".`);
}

function mistake(text: string): Failure {
  return new Failure("invalid-argument", text);
}
