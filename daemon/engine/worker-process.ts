/** Ties a WorkerService to this process's IPC channel. The process lives as long as the daemon that forked it. */
import type { Addon } from "../../native/addon.d.ts";
import type { FromWorker, ToWorker } from "./wire.ts";
import { WorkerService } from "./worker-service.ts";

/** `loadAddon` runs at the first message, so that a failure to load is the answer to a call. */
export function serveParent(loadAddon: () => Addon, addonPath: string): void {
  if (!process.send) {
    process.stderr.write("longsight's engine process is started by its daemon, not by hand.\n");
    process.exitCode = 64;
    return;
  }
  const reply = (message: FromWorker): void => {
    if (process.connected) process.send?.(message, () => undefined);
  };
  let service: WorkerService | null = null;
  process.on("message", (message: ToWorker) => {
    try {
      service ??= new WorkerService(loadAddon(), reply);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      const text = `The native engine could not be loaded from ${addonPath}: ${reason}`;
      reply({ kind: "error", call: message.call, code: "device-unavailable", message: text });
      return;
    }
    void service.receive(message);
  });
  // The daemon is gone: nothing here is worth saving, and an exit that waits for the addon's threads could take long.
  process.on("disconnect", () => {
    process.kill(process.pid, "SIGKILL");
  });
}
