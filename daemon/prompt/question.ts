import type { PromptModel } from "./prompt-model.ts";
import type { Turn } from "./template.ts";

/** What follows the packed repository: earlier turns (when the model takes them), the question, the call to answer. */
export async function encodeQuestion(
  model: PromptModel,
  question: string,
  history: readonly Turn[] = [],
): Promise<Uint32Array> {
  throw new Error(`not yet: ${model.modelDir} ${question} ${history.length}`);
}
