/** The command line of `longsight bench prefill`. */
import { parseArgs } from "node:util";
import { Failure } from "../failure/failure.ts";
import { prefillModes } from "../protocol/prefill.ts";

export interface BenchOptions {
  /** A random model's shape; undefined: a model folder and a repository. */
  readonly shape: string | undefined;
  readonly model: string | undefined;
  readonly repo: string | undefined;
  readonly lengths: readonly number[];
  /** Passed to the native program as they are, which checks them. */
  readonly passed: readonly string[];
  readonly picture: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

export const benchHelp = `Usage: longsight bench prefill [options]

Prefills the same tokens in each mode, and prints what it took end to end and in attention alone, the time of estimate and
index apart, the share of query-key pairs that was not computed, and the attention that was kept (recall).

  --lengths N,N      tokens (default 4096,16384,32768)
  --mode A,B         ${prefillModes.join(", ")} (default dense,sparse)
  --model DIR        a Hugging Face model folder; default: $LONGSIGHT_MODEL, else the bundled model
  --repo DIR         the repository whose text is prefilled; default: the packages that came with the installation
  --shape SHAPE      instead of a model random weights, with structure planted in queries and keys: llama-3-8b,
                     qwen2.5-7b, glm-4-9b, or LAYERS,HIDDEN,HEADS,KV_HEADS,HEAD,FFN,VOCAB
  --layers N         of the shape's layers only so many (and the last one, of which a prefill needs only K and V)
  --patterns FILE    head patterns of the sparse runs; default: the model's own
  --recall-floor N   attention that each head must keep, 0 to 1 (0: no guard; default: as the patterns say, else 0.95)
  --chunk N          tokens per chunk (default 32768)
  --runs N           of every length and mode, in turn; the median counts (default 1)
  --threads N        default: one per processor
  --picture FILE     where a chart goes, as SVG
  --json             one JSON object instead of a table
`;

/** Throws `invalid-argument`. */
export function readBenchOptions(args: readonly string[]): BenchOptions {
  const values = parse(args);
  if (values.shape !== undefined && (values.model !== undefined || values.repo !== undefined)) {
    throw mistake("--shape is a random model's; it goes with neither --model nor --repo.");
  }
  if (values.layers !== undefined && values.shape === undefined) throw mistake("--layers goes with --shape.");
  const passed = (["mode", "shape", "layers", "recall-floor", "chunk", "runs", "threads"] as const).flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [`--${name}`, value];
  });
  return {
    shape: values.shape,
    model: values.model,
    repo: values.repo,
    lengths: values.lengths.split(",").map(readLength),
    passed: [...passed, ...(values.patterns === undefined ? [] : ["--patterns", values.patterns])],
    picture: values.picture,
    json: values.json ?? false,
    help: values.help ?? false,
  };
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        lengths: { type: "string", default: "4096,16384,32768" },
        mode: text,
        model: text,
        repo: text,
        shape: text,
        layers: text,
        patterns: text,
        "recall-floor": text,
        chunk: text,
        runs: text,
        threads: text,
        picture: text,
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (thrown) {
    throw mistake(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function readLength(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 64 && value <= 16_777_216) return value;
  throw mistake(`--lengths takes whole numbers from 64 to 16777216, not "${text}".`);
}

function mistake(text: string): Failure {
  return new Failure("invalid-argument", text);
}
