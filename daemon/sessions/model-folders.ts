/** The model folders on this machine, judged by their files alone; nothing is loaded. */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { Failure } from "../failure/failure.ts";
import type { ModelEntry } from "../protocol/models.ts";

/** The architectures in `config.json` that the engine's decoder covers; a test compares native/engine/families. */
export const supportedArchitectures: readonly string[] = [
  "LlamaForCausalLM",
  "GlmForCausalLM",
  "Qwen2ForCausalLM",
  "Qwen3ForCausalLM",
  "SmolLM3ForCausalLM",
];

/** Rejects with `model-file-missing` when the folder or its config is not there. */
export async function checkModelFolder(modelDir: string): Promise<void> {
  const folder = await stat(modelDir).catch(() => null);
  if (!folder?.isDirectory()) throw new Failure("model-file-missing", `There is no model folder ${modelDir}.`);
  const config = await stat(path.join(modelDir, "config.json")).catch(() => null);
  if (!config?.isFile()) throw new Failure("model-file-missing", `The model folder ${modelDir} has no config.json.`);
}

/** Folders with a config.json below `modelsDir`, and `defaultModel` wherever it lies. */
export async function listModels(modelsDir: string, defaultModel: string): Promise<ModelEntry[]> {
  const children = await readdir(modelsDir, { withFileTypes: true }).catch(() => []);
  const folders = new Set([defaultModel]);
  for (const child of children) {
    const folder = path.join(modelsDir, child.name);
    const config = child.isDirectory() && (await stat(path.join(folder, "config.json")).catch(() => null));
    if (config) folders.add(folder);
  }
  return Promise.all([...folders].sort().map((folder) => describe(folder, folder === defaultModel)));
}

/** The longest context by config.json; null when it does not say. */
export async function configuredContext(folder: string): Promise<number | null> {
  return (await describe(folder, false)).maxContextTokens;
}

/** Changes with the weights, as their files tell without being read. */
export async function weightsIdentity(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".safetensors")).sort();
  const files = await Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(path.join(folder, name));
      return [name, size, mtimeMs];
    }),
  );
  return JSON.stringify([folder, files]);
}

async function describe(folder: string, isDefault: boolean): Promise<ModelEntry> {
  const entry = { path: folder, name: path.basename(folder), isDefault };
  const unknown = { architecture: null, maxContextTokens: null, weightsBytes: 0 };
  let config: ReadonlyMap<string, unknown>;
  try {
    const parsed: unknown = JSON.parse(await readFile(path.join(folder, "config.json"), "utf8"));
    config = new Map<string, unknown>(Object.entries(typeof parsed === "object" && parsed !== null ? parsed : {}));
  } catch (thrown) {
    const reason = thrown instanceof SyntaxError ? "config.json is not JSON" : "config.json is missing";
    return { ...entry, ...unknown, problem: reason };
  }
  const architectures = config.get("architectures");
  const first: unknown = Array.isArray(architectures) ? architectures[0] : null;
  const architecture = typeof first === "string" ? first : null;
  const positions = config.get("max_position_embeddings");
  const maxContextTokens = typeof positions === "number" ? positions : null;
  const weightsBytes = await sumOfWeights(folder);
  return {
    ...entry,
    architecture,
    maxContextTokens,
    weightsBytes,
    problem: await findProblem(folder, architecture, weightsBytes),
  };
}

async function findProblem(folder: string, architecture: string | null, weightsBytes: number): Promise<string | null> {
  if (architecture === null || !supportedArchitectures.includes(architecture)) {
    return `its architecture ${architecture ?? "(none named)"} is not supported`;
  }
  if (weightsBytes === 0) return "it has no .safetensors file";
  const tokenizer = await stat(path.join(folder, "tokenizer.json")).catch(() => null);
  return tokenizer ? null : "tokenizer.json is missing";
}

async function sumOfWeights(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".safetensors"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
