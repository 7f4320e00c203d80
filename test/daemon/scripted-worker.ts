/**
 * An engine process that a test can kill: the scripted addon, slow enough to be caught at work. A question about `gpuFails` meets
 * a GPU that does.
 */
import { serveParent } from "../../daemon/engine/worker-process.ts";
import { textOf } from "./tiny-model.ts";
import { defaultScript, scriptedAddon } from "../../daemon/engine/scripted-addon.ts";

serveParent(
  () =>
    scriptedAddon({
      ...defaultScript,
      stepMs: 20,
      tokenMs: 20,
      answer: (_context, question) => {
        if (textOf(question).includes("gpuFails")) {
          throw Object.assign(new Error("the GPU failed while computing"), { code: "engine-died" });
        }
        return Array<number>(1000).fill(1);
      },
    }),
  "the scripted addon",
);
