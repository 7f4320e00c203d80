import net from "node:net";

/** Milliseconds: a local socket accepts at once or not at all. */
const dialTimeoutMs = 5000;

export type Dialled =
  | { readonly kind: "connected"; readonly socket: net.Socket }
  /** Nothing is there. */
  | { readonly kind: "absent" }
  /** A socket file whose daemon is gone: the kernel refused. The only state in which it may be removed. */
  | { readonly kind: "refused" }
  | { readonly kind: "failed"; readonly error: Error };

/** Connects to a daemon's socket; resolves in every case. */
export function dial(address: string): Promise<Dialled> {
  return new Promise((resolve) => {
    const socket = net.connect(address);
    const timer = setTimeout(() => {
      socket.destroy();
      resolve({ kind: "failed", error: new Error(`${address} did not accept within ${dialTimeoutMs.toString()} ms`) });
    }, dialTimeoutMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve({ kind: "connected", socket });
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      socket.destroy();
      if (error.code === "ENOENT") resolve({ kind: "absent" });
      else if (error.code === "ECONNREFUSED") resolve({ kind: "refused" });
      else resolve({ kind: "failed", error });
    });
  });
}
