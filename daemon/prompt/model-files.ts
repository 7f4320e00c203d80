import { open } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../failure/failure.ts";

/** The largest published tokenizer.json files have about 35 MB. */
const maxFileBytes = 128 << 20;

/**
 * A file of a model folder, as text; null when it is absent.
 *
 * @throws Failure `model-file-invalid` when it cannot be read or is beyond any sensible size
 */
export async function readModelFile(modelDir: string, name: string): Promise<string | null> {
  const path = join(modelDir, name);
  try {
    const handle = await open(path, "r");
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Failure("model-file-invalid", `${path} is no regular file.`);
      if (stats.size > maxFileBytes)
        throw new Failure("model-file-invalid", `${path} has ${stats.size} bytes: too large.`);
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new Failure("model-file-invalid", `${path} cannot be read (${code}).`, { cause });
  }
}

/** As `readModelFile`, for a file without which the folder is of no use. @throws Failure `model-file-missing` */
export async function readRequiredModelFile(modelDir: string, name: string): Promise<string> {
  const text = await readModelFile(modelDir, name);
  if (text === null) throw new Failure("model-file-missing", `The model folder ${modelDir} has no ${name}.`);
  return text;
}

/** Plain data from a file that others wrote: check each field before use. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws Failure `model-file-invalid` when the text is not a JSON object */
export function parseModelJson(modelDir: string, name: string, text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new Failure("model-file-invalid", `${join(modelDir, name)} is not valid JSON.`, { cause });
  }
  throw new Failure("model-file-invalid", `${join(modelDir, name)} does not hold a JSON object.`);
}
