/** The daemon's process. Started by connect-or-spawn.ts; by hand it runs in the foreground and logs to stderr. */
import { fileURLToPath } from "node:url";
import { startNativeEngine } from "../engine/native-engine.ts";
import { toFailure } from "../failure/failure.ts";
import { errorCatalogue } from "../protocol/errors.ts";
import { productVersion } from "../protocol/version.ts";
import { LongsightService } from "../sessions/service.ts";
import { logFilePath, type ReadyReport } from "../socket/connect-or-spawn.ts";
import { runtimeDirPath } from "../socket/runtime-dir.ts";
import { startDaemon } from "./daemon.ts";
import { createLog } from "./log.ts";
import { readSettings } from "./settings.ts";

const packageRoot = fileURLToPath(new URL("..", import.meta.url));
const log = createLog((line) => process.stderr.write(line));

// A defect in one request must not take the others along; it is answered with `internal` and logged.
process.on("unhandledRejection", (reason) => {
  log.error("unhandled rejection", reason);
});

async function main(): Promise<void> {
  const settings = readSettings(process.env, packageRoot);
  const runtimeDir = runtimeDirPath(process.env);
  const service = new LongsightService({
    modelsDir: settings.modelsDir,
    defaultModel: settings.defaultModel,
    cacheDir: settings.cacheDir,
    logFile: logFilePath(runtimeDir),
    version: productVersion,
    device: settings.device,
    threads: settings.threads,
    kv: settings.kv,
    hostKvBytes: settings.hostKvBytes,
    weights: settings.weights,
    log,
    startEngine: () =>
      startNativeEngine({
        workerPath: fileURLToPath(new URL("native-worker.js", import.meta.url)),
        onLog: (line) => {
          log.info(`engine: ${line}`);
        },
      }),
  });
  const { idle } = settings;
  const program = fileURLToPath(import.meta.url);
  const daemon = await startDaemon({ runtimeDir, version: productVersion, service, idle, program, log });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => void daemon.stop(signal));
  }
  report({ kind: "ready", pid: process.pid });
  await daemon.stopped;
}

/** To the starter, if there is one. */
function report(message: ReadyReport): void {
  if (!process.send) return;
  process.send(message, () => {
    if (process.connected) process.disconnect();
  });
}

main().then(
  () => process.exit(0),
  (thrown: unknown) => {
    const failure = toFailure(thrown);
    log.error(`not started: ${failure.message}`, failure.code === "internal" ? failure.cause : undefined);
    process.exitCode = errorCatalogue[failure.code].exit;
    report({ kind: "failed", code: failure.code, message: failure.message });
  },
);
