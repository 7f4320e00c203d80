/** The native engine: a child process around the addon, because a native crash takes its process along. */
import { type ChildProcess, fork } from "node:child_process";
import type { Engine } from "./engine.ts";
import { RemoteEngine } from "./remote-engine.ts";
import type { EngineChannel, FromWorker, ToWorker } from "./wire.ts";

export interface NativeEngineOptions {
  /** Path of the bundled native-worker.js. */
  readonly workerPath: string;
  /** Each line that the engine's process writes to stderr. */
  readonly onLog: (line: string) => void;
}

/** Returns at once; failures to start reject the first call with `engine-died`. */
export function startNativeEngine(options: NativeEngineOptions): Engine & { readonly pid: number | undefined } {
  const child = fork(options.workerPath, [], {
    serialization: "advanced",
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const engine = new RemoteEngine(new ChildChannel(child, options.onLog));
  return Object.assign(engine, { pid: child.pid });
}

class ChildChannel implements EngineChannel {
  readonly #child: ChildProcess;
  readonly #gone: Promise<string>;

  constructor(child: ChildProcess, onLog: (line: string) => void) {
    this.#child = child;
    let lastLine = "";
    let unfinished = "";
    child.stderr?.setEncoding("utf8");
    child.stderr?.on("data", (text: string) => {
      const lines = (unfinished + text).split("\n");
      unfinished = lines.pop() ?? "";
      for (const line of lines) {
        if (line.trim() !== "") lastLine = line;
        onLog(line);
      }
    });
    this.#gone = new Promise((resolve) => {
      child.once("error", (error) => {
        resolve(error.message);
      });
      // "close" rather than "exit": by then the last words on stderr have been read.
      child.once("close", (exitCode, signal) => {
        const how = signal === null ? `exit code ${String(exitCode)}` : signal;
        resolve(lastLine === "" ? how : `${how}: ${lastLine}`);
      });
    });
  }

  send(message: ToWorker): void {
    // A send to a process that has just ended fails; `exit` follows and settles the call.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  onMessage(listener: (message: FromWorker) => void): void {
    this.#child.on("message", listener);
  }

  onClosed(listener: (reason: string) => void): void {
    void this.#gone.then(listener);
  }

  async close(): Promise<void> {
    // The engine has nothing to save, and SIGKILL frees its memory also in the middle of a kernel.
    this.#child.kill("SIGKILL");
    await this.#gone;
  }
}
