/** Where this installation's daemon, models and programs lie. */
import { fileURLToPath } from "node:url";
import { productVersion } from "../protocol/version.ts";
import type { DaemonPlace } from "../socket/connect-or-spawn.ts";
import { runtimeDirPath } from "../socket/runtime-dir.ts";

/** The CLI is bundled as dist/longsight.js, the daemon beside it. */
export const packageRoot = fileURLToPath(new URL("..", import.meta.url));

export function daemonPlace(env: NodeJS.ProcessEnv): DaemonPlace {
  return {
    runtimeDir: runtimeDirPath(env),
    version: productVersion,
    daemonPath: fileURLToPath(new URL("daemon.js", import.meta.url)),
  };
}
