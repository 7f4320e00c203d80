/** The command line of `longsight search`. */
import path from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../failure/failure.ts";
import { deviceName, type DeviceName } from "../protocol/device.ts";

export interface SearchOptions {
  readonly model: string | undefined;
  readonly device: DeviceName;
  readonly corpus: string | undefined;
  /** Tokens of a calibration text. */
  readonly length: number;
  /** Texts of each kind. */
  readonly texts: number;
  /** Keys that a vertical-slash head may cover at a chunk's end; undefined: the engine's own budget at that length. */
  readonly keys: number | undefined;
  readonly out: string;
  /** A pattern file to be compared with the single patterns, in place of a search. */
  readonly compare: string | undefined;
  /** Definition questions of a comparison. */
  readonly questions: number;
  readonly seed: number;
  readonly json: boolean;
  readonly help: boolean;
}

export const searchHelp = `Usage: longsight search [options]

Finds the sparse pattern of each attention head of a model: every candidate runs in the device's kernel over the attention of
calibration texts, all at the cost of the default budget as measured here, and the one whose output is nearest to dense
attention wins. Writes a head-pattern file and, beside it, a report (.report.json, .report.md) and a picture (.svg). A search
that was stopped goes on where it was.

  --model DIR       a Hugging Face model folder; default: $LONGSIGHT_MODEL, else the bundled model
  --device NAME     what the patterns are for: auto, cpu, cuda or cuda:N; default: $LONGSIGHT_DEVICE, else auto
  --corpus DIR      calibration code: a folder of repositories, or one repository; default: packages of the installation
  --length N        tokens of a calibration text (default 32768)
  --texts N         texts of each kind, code and retrieval samples (default 6)
  --keys N          keys that a row block may cover (default: the engine's budget: a 16th of the length, at least 1024)
  --out FILE        the head-pattern file (default head-patterns.json). As head-patterns.json in the model's folder it is what
                    sparse prefill uses
  --seed N          other texts (default 1)

  --compare FILE    no search: tries FILE and each single pattern on held-out repositories at equal cost, without the recall
                    guard, and asks definition questions with each, dense beside it. Sizes of equal cost are those of the
                    report beside FILE when it is of this device, else measured
  --questions N     questions of the comparison (default 100; 0: none)
  --json            the comparison as one JSON object
`;

const leastLength = 1024;

/** Throws `invalid-argument`. */
export function readSearchOptions(args: readonly string[], env: NodeJS.ProcessEnv = {}): SearchOptions {
  const values = parse(args);
  const length = integer("length", values.length, leastLength, 16_777_216);
  const keys = values.keys === undefined ? undefined : integer("keys", values.keys, 64, 1_048_576);
  const least = 8 * budgetKeys({ length, keys });
  if (length < least) {
    throw mistake(
      `--length ${String(length)} is too short for a budget of ${String(budgetKeys({ length, keys }))} keys: ` +
        `sparse attention means something from ${String(least)} tokens on.`,
    );
  }
  if (values.compare === undefined && values.json === true) throw mistake("--json goes with --compare.");
  return {
    model: values.model,
    device: readDevice(values.device, env["LONGSIGHT_DEVICE"]),
    corpus: values.corpus,
    length,
    texts: integer("texts", values.texts, 1, 1000),
    keys,
    out: path.resolve(values.out),
    compare: values.compare,
    questions: integer("questions", values.questions, 0, 100_000),
    seed: integer("seed", values.seed, 0, 2 ** 31 - 1),
    json: values.json ?? false,
    help: values.help ?? false,
  };
}

/** What the engine gives a vertical-slash head at that length when nobody says otherwise (native/engine/line_choice.cpp). */
export function defaultBudgetKeys(length: number): number {
  return Math.max(1024, Math.floor(length / 16));
}

export function budgetKeys({ length, keys }: Pick<SearchOptions, "length" | "keys">): number {
  return keys ?? defaultBudgetKeys(length);
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        model: { type: "string" },
        device: { type: "string" },
        corpus: { type: "string" },
        length: { type: "string", default: "32768" },
        texts: { type: "string", default: "6" },
        keys: { type: "string" },
        out: { type: "string", default: "head-patterns.json" },
        compare: { type: "string" },
        questions: { type: "string", default: "100" },
        seed: { type: "string", default: "1" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    return values;
  } catch (thrown) {
    throw mistake(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function readDevice(option: string | undefined, variable = ""): DeviceName {
  if (option === undefined && variable === "") return "auto";
  const name = deviceName(option ?? variable);
  if (name !== undefined) return name;
  const given = option === undefined ? `LONGSIGHT_DEVICE=${variable} is none of` : `--device ${option} is none of`;
  throw mistake(`${given} auto, cpu, cuda, cuda:N.`);
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw mistake(`--${name} takes a whole number from ${String(least)} to ${String(most)}, not "${text}".`);
}

function mistake(text: string): Failure {
  return new Failure("invalid-argument", text);
}
