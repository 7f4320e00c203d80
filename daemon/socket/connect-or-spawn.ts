/** How a client reaches the daemon: dial, and start one when nobody answers. */
import { fork } from "node:child_process";
import type net from "node:net";
import path from "node:path";
import { closeSync, openSync, statSync } from "node:fs";
import { Failure, isErrorCode } from "../failure/failure.ts";
import { socketPath } from "./address.ts";
import { dial } from "./dial.ts";
import { ensureRuntimeDir } from "./runtime-dir.ts";

/** A cold start under load; the daemon itself needs a fraction of a second. */
const readyTimeoutMs = 30_000;
/** The log starts anew above this size. */
const maxLogBytes = 4 * 1024 * 1024;

/** What a starting daemon tells its starter, once, over IPC. `already-running` counts as ready. */
export type ReadyReport =
  | { readonly kind: "ready"; readonly pid: number }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

export interface DaemonPlace {
  readonly runtimeDir: string;
  readonly version: string;
  /** The bundled daemon.js. */
  readonly daemonPath: string;
}

export function logFilePath(runtimeDir: string): string {
  return path.join(runtimeDir, "daemon.log");
}

/** Null when no daemon of this version runs. */
export async function connectIfRunning(place: DaemonPlace): Promise<net.Socket | null> {
  await ensureRuntimeDir(place.runtimeDir);
  const address = socketPath(place.runtimeDir, place.version);
  const dialled = await dial(address);
  if (dialled.kind === "connected") return dialled.socket;
  if (dialled.kind === "failed") {
    throw new Failure("daemon-unreachable", `The daemon on ${address} cannot be reached: ${dialled.error.message}`);
  }
  return null;
}

/** Several clients may do this at once: one of their daemons wins, the others report that one runs already. */
export async function connectOrSpawn(place: DaemonPlace): Promise<net.Socket> {
  const running = await connectIfRunning(place);
  if (running) return running;
  await spawnDaemon(place);
  const socket = await connectIfRunning(place);
  if (socket) return socket;
  const log = logFilePath(place.runtimeDir);
  throw new Failure("daemon-unreachable", `The daemon said it was ready, but does not accept connections; see ${log}.`);
}

async function spawnDaemon(place: DaemonPlace): Promise<void> {
  const logFile = logFilePath(place.runtimeDir);
  const tooLong = (statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > maxLogBytes;
  const log = openSync(logFile, tooLong ? "w" : "a", 0o600);
  const child = fork(place.daemonPath, [], {
    cwd: place.runtimeDir, // not the caller's folder, which may go away
    detached: true, // Ctrl-C in the caller's terminal is not meant for the daemon
    execArgv: [],
    env: { ...process.env, LONGSIGHT_RUNTIME_DIR: place.runtimeDir },
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  try {
    const report = await new Promise<ReadyReport>((resolve) => {
      const fail = (message: string): void => {
        resolve({ kind: "failed", code: "daemon-unreachable", message: `${message}; see ${logFile}.` });
      };
      const timer = setTimeout(() => {
        fail(`The daemon was not ready within ${readyTimeoutMs.toString()} ms`);
      }, readyTimeoutMs);
      child.once("message", (message: ReadyReport) => {
        clearTimeout(timer);
        resolve(message);
      });
      child.once("error", (error) => {
        clearTimeout(timer);
        fail(`The daemon could not be started: ${error.message}`);
      });
      child.once("exit", (exitCode, signal) => {
        clearTimeout(timer);
        fail(`The daemon ended while starting (${signal ?? `exit code ${String(exitCode)}`})`);
      });
    });
    if (report.kind === "failed" && report.code !== "already-running") {
      throw new Failure(isErrorCode(report.code) ? report.code : "daemon-unreachable", report.message);
    }
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}
