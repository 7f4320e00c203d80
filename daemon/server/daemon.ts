/** The daemon: one socket, its connections, one service behind them. */
import { existsSync } from "node:fs";
import type net from "node:net";
import { errorCatalogue } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { LongsightService } from "../sessions/service.ts";
import { socketPath } from "../socket/address.ts";
import { type Listening, listenOnce } from "../socket/listen.ts";
import { ensureRuntimeDir } from "../socket/runtime-dir.ts";
import { Connection } from "./connection.ts";
import { type IdleTimes, watchIdle } from "./idle-watch.ts";
import type { Log } from "./log.ts";
import { endSocket, InFlight, SocketWriter } from "./transport.ts";

/** Milliseconds in which what runs must have been answered when the daemon stops. */
const lastAnswersMs = 2000;

export interface DaemonOptions {
  readonly runtimeDir: string;
  readonly version: string;
  readonly service: LongsightService;
  readonly idle: IdleTimes;
  /** The daemon's own file. Once it is gone the installation is, and the model with it. */
  readonly program: string;
  readonly log: Log;
}

export interface RunningDaemon {
  readonly address: string;
  /** Ends what runs with `engine-stopped`, says goodbye, and frees everything. */
  stop(reason: string): Promise<void>;
  /** Resolves with the reason when the daemon has stopped. */
  readonly stopped: Promise<string>;
}

/** Rejects with `socket-not-ours` or `already-running`. */
export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  await ensureRuntimeDir(options.runtimeDir);
  const address = socketPath(options.runtimeDir, options.version);
  const daemon = new Daemon(options, address);
  await daemon.listen();
  return daemon;
}

class Daemon implements RunningDaemon {
  readonly address: string;
  readonly stopped: Promise<string>;
  readonly #options: DaemonOptions;
  readonly #connections = new Map<net.Socket, Connection>();
  #lastConnectionAt = Date.now();
  #listening: Listening | null = null;
  #endWatch: () => void = () => undefined;
  #stopping: Promise<void> | null = null;
  #resolveStopped: (reason: string) => void = () => undefined;

  constructor(options: DaemonOptions, address: string) {
    this.#options = options;
    this.address = address;
    this.stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  async listen(): Promise<void> {
    const { runtimeDir, service, idle, program, log } = this.#options;
    const listening = await listenOnce(runtimeDir, this.address, (socket) => {
      this.#accept(socket);
    });
    this.#listening = listening;
    service.attach(this.address, () => this.#connections.size);
    service.onHealth((health) => {
      for (const connection of this.#connections.values()) connection.sendHealth(health);
    });
    this.#endWatch = watchIdle(idle, {
      lastRequestAt: () => service.lastRequestAt(),
      lastConnectionAt: () => (this.#connections.size > 0 ? Date.now() : this.#lastConnectionAt),
      freeEngine: () => {
        log.info("idle: the engine is freed");
        void service.freeEngine();
      },
      exit: (reason) => void this.stop(reason),
      missing: () => (!listening.stillOurs() ? "its socket" : existsSync(program) ? null : "its program"),
    });
    log.info(`listening on ${this.address}, version ${this.#options.version}, pid ${process.pid.toString()}`);
  }

  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  #accept(socket: net.Socket): void {
    if (this.#connections.size >= limits.maxConnections) {
      const { rpc, next } = errorCatalogue["queue-full"];
      const text = `The daemon has ${limits.maxConnections.toString()} connections, the most that are allowed.`;
      new SocketWriter(socket, new InFlight()).replyError(null, rpc, text, { code: "queue-full", next });
      socket.on("error", () => undefined);
      socket.resume(); // so that the peer's end is seen
      endSocket(socket);
      return;
    }
    const { version, service, log } = this.#options;
    const requestStop = (): void => {
      void this.stop("a client asked for it");
    };
    this.#connections.set(socket, new Connection(socket, { version, service, log, requestStop }));
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#lastConnectionAt = Date.now();
    });
  }

  async #stop(reason: string): Promise<void> {
    this.#options.log.info(`stopping: ${reason}`);
    this.#endWatch();
    const closed = this.#listening?.close();
    await this.#options.service.close();
    // What waited has been rejected by now, so the responses are on their way.
    for (const connection of this.#connections.values()) void connection.endWhenAnswered();
    const timer = setTimeout(() => {
      for (const connection of this.#connections.values()) connection.end();
    }, lastAnswersMs);
    await closed;
    clearTimeout(timer);
    this.#resolveStopped(reason);
  }
}
