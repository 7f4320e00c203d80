/** `longsight model list`. */
import type { ModelEntry } from "../protocol/models.ts";
import type { DaemonClient } from "./daemon-client.ts";
import { count } from "./progress-view.ts";

export async function modelListCommand(client: DaemonClient, json: boolean): Promise<void> {
  const result = await client.models();
  if (json) {
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    return;
  }
  for (const model of result.models) process.stdout.write(`${render(model)}\n`);
  process.stdout.write(`\nSupported architectures: ${result.supportedArchitectures.join(", ")}.\n`);
  process.stdout.write("Any folder with such a model works: longsight ask --model DIR QUESTION\n");
}

function render(model: ModelEntry): string {
  const mark = model.isDefault ? "* " : "  ";
  if (model.problem !== null) return `${mark}${model.path}: cannot be used, ${model.problem}`;
  const context = model.maxContextTokens === null ? "" : `, up to ${count(model.maxContextTokens)} tokens`;
  return `${mark}${model.path}: ${model.architecture ?? ""}, ${count(model.weightsBytes / 1e6)} MB${context}`;
}
