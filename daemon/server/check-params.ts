/** Reads a request's params field by field; what is wrong is told with its name, its value and what is allowed. */
import path from "node:path";
import { Failure } from "../failure/failure.ts";
import type { ProgressToken } from "../protocol/message.ts";

export class ParamsReader {
  readonly #fields: ReadonlyMap<string, unknown>;

  /** Throws `invalid-argument` when params are no object. Absent params are an object without fields. */
  constructor(params: unknown) {
    if (params !== undefined && (typeof params !== "object" || params === null || Array.isArray(params))) {
      throw new Failure("invalid-argument", "The params must be an object with named fields.");
    }
    this.#fields = new Map<string, unknown>(Object.entries(params ?? {}));
  }

  text(name: string, maxLength: number): string | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw wrong(name, "a string", value);
    if (value.length > maxLength) {
      const length = value.length.toString();
      throw new Failure(
        "invalid-argument",
        `"${name}" has ${length} characters; at most ${maxLength.toString()} are accepted.`,
      );
    }
    if (value.includes("\0")) throw new Failure("invalid-argument", `"${name}" holds a NUL character.`);
    return value;
  }

  absolutePath(name: string): string | undefined {
    const value = this.text(name, 4096);
    if (value === undefined) return undefined;
    if (!path.isAbsolute(value)) throw wrong(name, "an absolute path", value);
    return path.normalize(value);
  }

  /** Files and folders below a root, with forward slashes; none of them may lead out of it. */
  relativePaths(name: string, maxCount: number): readonly string[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw wrong(name, "a list of paths", value);
    if (value.length > maxCount) {
      const text = `"${name}" has ${value.length.toString()} entries; at most ${maxCount.toString()} are accepted.`;
      throw new Failure("invalid-argument", text);
    }
    return value.map((entry: unknown) => {
      if (!isRelativePath(entry))
        throw wrong(`${name}[]`, "a path below the repository's root, with forward slashes", entry);
      return entry;
    });
  }

  relativePath(name: string): string | undefined {
    const value = this.text(name, 4096);
    if (value === undefined || value === "") return undefined;
    if (!isRelativePath(value)) throw wrong(name, "a path below the repository's root, with forward slashes", value);
    return value;
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      throw wrong(name, `an integer from ${min.toString()} to ${max.toString()}`, value);
    }
    return value;
  }

  number(name: string, min: number, max: number): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      throw wrong(name, `a number from ${min.toString()} to ${max.toString()}`, value);
    }
    return value;
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) throw wrong(name, `one of ${choices.join(", ")}`, value);
    return chosen;
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw wrong(name, "true or false", value);
  }

  token(name: string): ProgressToken | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === "string" || typeof value === "number") return value;
    throw wrong(name, "a string or a number", value);
  }

  /** Any value; undefined when absent. */
  raw(name: string): unknown {
    return this.#get(name);
  }

  #get(name: string): unknown {
    return this.#fields.get(name) ?? undefined; // null is LSP's way to say "none"
  }
}

function isRelativePath(entry: unknown): entry is string {
  if (typeof entry !== "string" || entry === "" || entry.length > 4096 || entry.startsWith("/")) return false;
  return !entry.includes("\0") && !entry.split("/").some((part) => part === ".." || part === ".");
}

function wrong(name: string, wanted: string, value: unknown): Failure {
  const shown = JSON.stringify(value).slice(0, 80); // it came as JSON, so it can go back
  return new Failure("invalid-argument", `"${name}" must be ${wanted}, not ${shown}.`);
}
