/** The command line as a tagged union. Every mistake is told with what would have been right. */
import { parseArgs } from "node:util";
import { Failure } from "../failure/failure.ts";
import { deviceName, type DeviceName } from "../protocol/device.ts";
import { limits } from "../protocol/limits.ts";
import { prefillModes } from "../protocol/prefill.ts";
import type { TargetArguments } from "./target.ts";

export interface AskArguments extends TargetArguments {
  readonly kind: "ask";
  readonly device: DeviceName | undefined;
  /** Null: interactive, or one question per line of standard input. */
  readonly question: string | null;
  readonly maxTokens: number | undefined;
  readonly evidence: boolean;
  readonly json: boolean;
}

export interface SummarizeArguments extends TargetArguments {
  readonly kind: "summarize";
  readonly device: DeviceName | undefined;
  /** A file or folder; null: everything. */
  readonly path: string | null;
  readonly again: boolean;
  readonly json: boolean;
  readonly markdown: boolean;
}

export interface BenchArguments extends TargetArguments {
  readonly kind: "bench";
  readonly device: DeviceName | undefined;
  readonly json: boolean;
}

export type Command =
  | AskArguments
  | SummarizeArguments
  | BenchArguments
  | { readonly kind: "status"; readonly json: boolean }
  | { readonly kind: "model-list"; readonly json: boolean }
  /** A process of its own, which reads the rest of the command line. */
  | { readonly kind: "child"; readonly program: string; readonly args: readonly string[] }
  | { readonly kind: "stop" }
  | { readonly kind: "lsp" }
  | { readonly kind: "help" }
  | { readonly kind: "version" };

const targetOptions = [
  "repo",
  "model",
  "context",
  "prefill",
  "patterns",
  "recall-floor",
  "exclude",
  "include",
  "device",
];

/** The options of each command; an option of another command is a mistake, not ignored. */
const optionsOf: Readonly<Record<string, readonly string[]>> = {
  ask: [...targetOptions, "max-tokens", "evidence", "json"],
  summarize: [...targetOptions, "again", "json", "markdown"],
  status: ["json"],
  model: ["json"],
  bench: [...targetOptions, "json"],
  eval: [],
  search: [],
  stop: [],
  lsp: ["stdio"],
  help: [],
};

/** `args` without node and script. Throws `invalid-argument`. */
export function readArguments(args: readonly string[]): Command {
  if (args[0] === "eval" || args[0] === "search") {
    return { kind: "child", program: `${args[0]}.js`, args: args.slice(1) };
  }
  if (args[0] === "bench" && args[1] === "prefill") {
    return { kind: "child", program: "bench-prefill.js", args: args.slice(2) };
  }
  const { values, positionals } = parse(args);
  const [command, ...rest] = positionals;
  if (values.version) return { kind: "version" };
  if (values.help || command === undefined) return { kind: "help" };
  const allowed = Object.hasOwn(optionsOf, command) ? optionsOf[command] : undefined;
  if (!allowed) {
    throw mistake(`There is no command "${command}"; there are ${Object.keys(optionsOf).join(", ")}.`);
  }
  for (const name of Object.keys(values)) {
    if (!allowed.includes(name)) throw mistake(`"longsight ${command}" has no option --${name}.`);
  }
  const { json = false, evidence = false } = values;
  const target: TargetArguments = {
    repo: values.repo,
    model: values.model,
    context: integer("context", values.context, 256, 16_777_216),
    prefill: choice("prefill", values.prefill, prefillModes),
    patterns: values.patterns,
    recallFloor: share("recall-floor", values["recall-floor"]),
    exclude: values.exclude,
    include: values.include,
  };
  const device = readDevice(values.device);
  if (command !== "ask" && command !== "summarize" && command !== "model" && rest.length > 0) {
    throw mistake(`"longsight ${command}" takes no argument, but got "${rest.join(" ")}".`);
  }
  switch (command) {
    case "ask": {
      const maxTokens = integer("max-tokens", values["max-tokens"], 1, limits.maxAnswerTokens);
      const question = rest.join(" ").trim();
      if (rest.length > 0 && question === "") throw mistake("The question is empty.");
      return { kind: "ask", ...target, device, question: question === "" ? null : question, maxTokens, evidence, json };
    }
    case "summarize": {
      const { again = false, markdown = false } = values;
      if (rest.length > 1) throw mistake(`"longsight summarize" takes one path, but got "${rest.join(" ")}".`);
      if (json && markdown) throw mistake("--json and --markdown exclude each other.");
      return { kind: "summarize", ...target, device, path: rest[0] ?? null, again, json, markdown };
    }
    case "bench":
      return { kind: "bench", ...target, device, json };
    case "status":
      return { kind: "status", json };
    case "model":
      if (rest.join(" ") === "list") return { kind: "model-list", json };
      throw mistake('"longsight model" is followed by "list".');
    case "stop":
      return { kind: "stop" };
    case "lsp":
      return { kind: "lsp" };
    default:
      return { kind: "help" };
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        repo: { type: "string" },
        model: { type: "string" },
        context: { type: "string" },
        prefill: { type: "string" },
        patterns: { type: "string" },
        "recall-floor": { type: "string" },
        device: { type: "string" },
        "max-tokens": { type: "string" },
        exclude: { type: "string", multiple: true },
        include: { type: "string", multiple: true },
        evidence: { type: "boolean" },
        again: { type: "boolean" },
        markdown: { type: "boolean" },
        json: { type: "boolean" },
        // Language clients add it to the command of a stdio server.
        stdio: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
      },
    });
  } catch (thrown) {
    throw mistake(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function integer(name: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw mistake(`--${name} takes a whole number from ${min.toString()} to ${max.toString()}, not "${text}".`);
  }
  return value;
}

function choice<Choice extends string>(
  name: string,
  text: string | undefined,
  choices: readonly Choice[],
): Choice | undefined {
  if (text === undefined) return undefined;
  const chosen = choices.find((one) => one === text);
  if (chosen === undefined) throw mistake(`--${name} takes one of ${choices.join(", ")}, not "${text}".`);
  return chosen;
}

function readDevice(text: string | undefined): DeviceName | undefined {
  if (text === undefined) return undefined;
  const name = deviceName(text);
  if (name === undefined) throw mistake(`--device takes auto, cpu, cuda or cuda:N, not "${text}".`);
  return name;
}

function share(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^(?:\d+|\d*\.\d+)$/.test(text) || value > 1) {
    throw mistake(`--${name} takes a number from 0 to 1, not "${text}".`);
  }
  return value;
}

function mistake(text: string): Failure {
  return new Failure("invalid-argument", text);
}
