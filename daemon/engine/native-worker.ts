/** The engine's child process, and the only file that loads the addon. Started by native-engine.ts. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Addon } from "../../native/addon.d.ts";
import { serveParent } from "./worker-process.ts";

const addonPath = fileURLToPath(new URL("../build/Release/longsight.node", import.meta.url));

serveParent(() => {
  const load = createRequire(import.meta.url);
  const loaded: unknown = load(addonPath);
  if (!isAddon(loaded)) throw new Error("it is not Longsight's addon");
  return loaded;
}, addonPath);

function isAddon(value: unknown): value is Addon {
  return typeof value === "object" && value !== null && "loadModel" in value && "backends" in value;
}
