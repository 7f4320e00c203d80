/** `longsight status`: never starts a daemon. */
import type { SessionStatus, StatusResult } from "../protocol/status.ts";
import { connectIfRunning } from "../socket/connect-or-spawn.ts";
import { DaemonClient } from "./daemon-client.ts";
import { daemonPlace } from "./place.ts";
import { count, duration } from "./progress-view.ts";

export async function statusCommand(json: boolean): Promise<void> {
  const socket = await connectIfRunning(daemonPlace(process.env));
  if (!socket) {
    process.stdout.write(json ? '{ "running": false }\n' : "No daemon is running; the next question starts one.\n");
    return;
  }
  const client = await DaemonClient.connect(socket);
  const status = await client.status();
  client.close();
  process.stdout.write(json ? `${JSON.stringify({ running: true, ...status }, null, 2)}\n` : render(status));
}

function render(status: StatusResult): string {
  const lines = [
    `daemon    version ${status.version}, pid ${status.pid.toString()}, up ${duration(status.uptimeMs)}`,
    `socket    ${status.socket}`,
    `log       ${status.logFile}`,
    `requests  ${status.runningRequests.toString()} running, ${status.queuedRequests.toString()} waiting, ${status.connections.toString()} connections`,
    `engine    ${renderEngine(status)}`,
    ...status.sessions.map(
      (session) =>
        `context   ${session.repository}: ${count(session.heldTokens)} tokens held (${mebibytes(session.heldBytes)}${renderKv(session)}), ` +
        `of ${count(session.contextTokens)}, ${count(session.files)} files${renderChanged(session.changedFiles)}; ` +
        `used ${duration(session.lastUsedMsAgo)} ago`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function renderKv({ kv, chunkTokens, stowed }: SessionStatus): string {
  if (kv === null || chunkTokens === null) return "";
  return ` in ${kv}, read in chunks of ${count(chunkTokens)}${stowed ? ", moved to the machine's memory" : ""}`;
}

function renderChanged(changedFiles: number): string {
  return changedFiles > 0 ? ` (${count(changedFiles)} changed since)` : "";
}

function renderEngine({ engine }: StatusResult): string {
  switch (engine.state) {
    case "stopped":
      return engine.lastDeath === null ? "not started" : `died (${engine.lastDeath}); the next question starts it`;
    case "starting":
      return `loading ${engine.model}`;
    case "ready":
      return `${engine.model} (${engine.architecture}) on ${renderDevice(engine)}, peak ${mebibytes(engine.peakMemoryBytes)}, KV ${mebibytes(engine.kvBytes)}${renderHostKv(engine.hostKvBytes)}${renderRestart(engine.lastDeath)}`;
  }
}

function renderHostKv(hostKvBytes: number): string {
  return hostKvBytes === 0 ? "" : ` and ${mebibytes(hostKvBytes)} in the machine's memory`;
}

function renderRestart(lastDeath: string | null): string {
  return lastDeath === null ? "" : `; started again after one died (${lastDeath})`;
}

function renderDevice(engine: Extract<StatusResult["engine"], { state: "ready" }>): string {
  const { device, deviceName, deviceBytes, instructionSet, threads } = engine;
  if (deviceBytes === 0) return `${device} ${instructionSet}, ${threads.toString()} threads`;
  return `${device} ${deviceName} (${instructionSet}, ${mebibytes(deviceBytes)})`;
}

function mebibytes(bytes: number): string {
  return `${count(bytes / 1024 ** 2)} MiB`;
}
