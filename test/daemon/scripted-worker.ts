/** An engine process that a test can kill: the scripted addon, slow enough to be caught at work. */
import { serveParent } from "../../daemon/engine/worker-process.ts";
import { defaultScript, scriptedAddon } from "../../daemon/engine/scripted-addon.ts";

serveParent(
  () => scriptedAddon({ ...defaultScript, stepMs: 20, tokenMs: 20, answer: () => Array<number>(1000).fill(1) }),
  "the scripted addon",
);
