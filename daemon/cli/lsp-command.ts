/** `longsight lsp`: a bridge between an editor's pipes and the daemon's socket. It reads and changes nothing. */
import { pipeline } from "node:stream/promises";
import { connectOrSpawn } from "../socket/connect-or-spawn.ts";
import { daemonPlace } from "./place.ts";

/** Resolves when either side has ended. */
export async function lspCommand(): Promise<void> {
  const socket = await connectOrSpawn(daemonPlace(process.env));
  const toDaemon = pipeline(process.stdin, socket);
  const toEditor = pipeline(socket, process.stdout, { end: false });
  // An editor that goes away, or a daemon that stops, ends the bridge; neither is the bridge's failure.
  await Promise.race([toDaemon.then(() => toEditor), toEditor]).catch(() => undefined);
}
