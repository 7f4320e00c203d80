/** Where the daemon of a version listens. */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Failure } from "../failure/failure.ts";

/** Bytes of sockaddr_un.sun_path on the smallest platform (macOS: 104 with the final NUL). */
const maxSocketPathBytes = 103;

/** The version is in the name, so that daemons of two versions never meet on one socket. */
export function socketPath(runtimeDir: string, version: string): string {
  if (process.platform === "win32") {
    const user = createHash("sha256").update(`${os.userInfo().username}\0${runtimeDir}`).digest("hex").slice(0, 16);
    return `\\\\.\\pipe\\longsight-${user}-${version}`;
  }
  const socket = path.join(runtimeDir, `daemon-${version}.sock`);
  if (Buffer.byteLength(socket) > maxSocketPathBytes) {
    const limit = maxSocketPathBytes.toString();
    throw new Failure(
      "invalid-argument",
      `${socket} is too long for a socket (${limit} bytes); set a shorter LONGSIGHT_RUNTIME_DIR.`,
    );
  }
  return socket;
}

/** The sockets of daemons of any version in this folder, ours first. */
export async function allSocketPaths(runtimeDir: string, version: string): Promise<string[]> {
  const own = socketPath(runtimeDir, version);
  if (process.platform === "win32") return [own];
  const names = await readdir(runtimeDir);
  const others = names.filter((name) => /^daemon-.+\.sock$/.test(name)).map((name) => path.join(runtimeDir, name));
  return [own, ...others.filter((other) => other !== own).sort()];
}
