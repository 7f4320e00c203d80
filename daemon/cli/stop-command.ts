/** `longsight stop`: daemons of every version, so that an upgrade never leaves one behind. */
import { allSocketPaths } from "../socket/address.ts";
import { dial } from "../socket/dial.ts";
import { ensureRuntimeDir } from "../socket/runtime-dir.ts";
import { DaemonClient } from "./daemon-client.ts";
import { daemonPlace } from "./place.ts";

export async function stopCommand(): Promise<void> {
  const { runtimeDir, version } = daemonPlace(process.env);
  await ensureRuntimeDir(runtimeDir);
  let stopped = 0;
  for (const address of await allSocketPaths(runtimeDir, version)) {
    const dialled = await dial(address);
    if (dialled.kind !== "connected") continue;
    const result = await DaemonClient.stop(dialled.socket);
    process.stdout.write(`Stopped the daemon (version ${result.version}, pid ${result.pid.toString()}).\n`);
    stopped += 1;
  }
  if (stopped === 0) process.stdout.write("No daemon is running.\n");
}
