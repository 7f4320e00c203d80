/** Binding the daemon's socket, at most one daemon at a time. */
import { lstatSync, renameSync, rmSync } from "node:fs";
import { chmod, lstat } from "node:fs/promises";
import net from "node:net";
import { Failure } from "../failure/failure.ts";
import { dial } from "./dial.ts";
import { withStartClaim } from "./start-claim.ts";

export interface Listening {
  readonly server: net.Server;
  /** False once somebody removed or replaced the socket file: nobody can reach this daemon any more. */
  stillOurs(): boolean;
  /** Stops listening and removes the socket file, if it is ours. */
  close(): Promise<void>;
}

/** Rejects with `already-running` when a daemon answers on `address`. */
export async function listenOnce(
  runtimeDir: string,
  address: string,
  onConnection: (socket: net.Socket) => void,
): Promise<Listening> {
  return withStartClaim(runtimeDir, async () => {
    const dialled = await dial(address);
    switch (dialled.kind) {
      case "connected":
        dialled.socket.destroy();
        throw new Failure("already-running", `A daemon is listening on ${address} already.`);
      case "failed":
        throw new Failure(
          "daemon-unreachable",
          `${address} is in use, but cannot be reached: ${dialled.error.message}`,
        );
      case "refused":
      case "absent":
    }
    const server = net.createServer(onConnection);
    if (process.platform === "win32") {
      await bind(server, address);
      return { server, stillOurs: () => true, close: () => closeServer(server) };
    }
    // Bound under another name and renamed: no moment without a socket, a stale one is replaced at once, and libuv,
    // which unlinks the name that it bound, cannot remove the socket of a daemon that came after us.
    const bound = `${address}.${process.pid.toString()}`;
    rmSync(bound, { force: true });
    await bind(server, bound);
    await chmod(bound, 0o600);
    const { ino } = await lstat(bound);
    renameSync(bound, address);
    const stillOurs = (): boolean => lstatSync(address, { throwIfNoEntry: false })?.ino === ino;
    return {
      server,
      stillOurs,
      close: () => {
        if (stillOurs()) rmSync(address, { force: true });
        return closeServer(server);
      },
    };
  });
}

function bind(server: net.Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const text = `The daemon cannot listen on ${address}: ${error.message}`;
      reject(new Failure(taken ? "already-running" : "daemon-unreachable", text, { cause: error }));
    });
    server.listen(address, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
