/** How long the context is: what was asked for, else what the model's makers advise, else what its device bears. */
import type { ModelInfo } from "../engine/engine.ts";
import { Failure } from "../failure/failure.ts";
import type { PromptModel } from "../prompt/index.ts";
import { configuredContext } from "./model-folders.ts";

/** A CPU reads some thousand tokens per second: more than this is asked for by name, not by default. */
const defaultCpuContextTokens = 32_768;

/**
 * Throws `invalid-argument` for more than the model can.
 *
 * @param info null while no engine has had this model: its config.json speaks then, and `auto` counts as a CPU
 */
export async function chooseContext(
  asked: number | undefined,
  { modelDir, profile }: PromptModel,
  info: ModelInfo | null,
  device: string,
): Promise<number> {
  const most = info?.maxContextTokens ?? (await configuredContext(modelDir)) ?? defaultCpuContextTokens;
  if (asked === undefined) {
    const onCpu = info ? info.device === "cpu" : !device.startsWith("cuda");
    const cpuMost = onCpu ? Math.min(most, defaultCpuContextTokens) : most;
    return Math.min(most, profile.defaultContextTokens ?? cpuMost);
  }
  if (asked > most) {
    const text = `A context of ${asked.toLocaleString("en-US")} tokens is more than this model's ${most.toLocaleString("en-US")}.`;
    throw new Failure("invalid-argument", text);
  }
  return asked;
}
