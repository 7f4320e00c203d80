/** A daemon in this process: the real server on a real socket, with an engine that a test can script and kill. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Engine } from "../../daemon/engine/engine.ts";
import { newWork, type Script, type ScriptedWork } from "../../daemon/engine/scripted-addon.ts";
import { type ScriptedEngine, startScriptedEngine } from "../../daemon/engine/scripted-engine.ts";
import { productVersion } from "../../daemon/protocol/version.ts";
import { type RunningDaemon, startDaemon } from "../../daemon/server/daemon.ts";
import { defaultIdleTimes, type IdleTimes } from "../../daemon/server/idle-watch.ts";
import { createLog } from "../../daemon/server/log.ts";
import { LongsightService } from "../../daemon/sessions/service.ts";

export interface TestDaemon {
  readonly daemon: RunningDaemon;
  readonly address: string;
  readonly runtimeDir: string;
  readonly work: ScriptedWork;
  readonly log: string[];
  /** The scripted engine that was started last. */
  engine(): ScriptedEngine;
  enginesStarted(): number;
  remove(): Promise<void>;
}

export interface TestDaemonOptions {
  readonly script?: Partial<Script>;
  readonly startEngine?: () => Engine;
  readonly idle?: Partial<IdleTimes>;
  readonly version?: string;
  readonly runtimeDir?: string;
  readonly model?: string;
  readonly hostKvBytes?: number;
  /** Default: nothing is kept on disk. */
  readonly cacheDir?: string;
}

/** Short: a socket's path has about a hundred bytes. */
export function temporaryDir(): string {
  return mkdtempSync(path.join(tmpdir(), "ls-"));
}

export async function startTestDaemon(options: TestDaemonOptions = {}): Promise<TestDaemon> {
  const runtimeDir = options.runtimeDir ?? temporaryDir();
  const version = options.version ?? productVersion;
  const engines: ScriptedEngine[] = [];
  const lines: string[] = [];
  const work = newWork();
  const log = createLog((line) => lines.push(line));
  const startScripted = (): Engine => {
    const engine = startScriptedEngine(options.script, work);
    engines.push(engine);
    return engine;
  };
  const service = new LongsightService({
    modelsDir: path.join(runtimeDir, "models"),
    defaultModel: options.model ?? path.join(runtimeDir, "models", "none"),
    cacheDir: options.cacheDir ?? null,
    logFile: path.join(runtimeDir, "daemon.log"),
    version,
    device: "cpu",
    threads: 1,
    hostKvBytes: options.hostKvBytes ?? 0,
    startEngine: options.startEngine ?? startScripted,
    log,
  });
  const daemon = await startDaemon({
    runtimeDir,
    version,
    service,
    idle: { ...defaultIdleTimes, ...options.idle },
    program: import.meta.filename,
    log,
  });
  return {
    daemon,
    address: daemon.address,
    runtimeDir,
    work,
    log: lines,
    engine: () => {
      const engine = engines.at(-1);
      if (!engine) throw new Error("no engine has been started");
      return engine;
    },
    enginesStarted: () => engines.length,
    remove: async () => {
      await daemon.stop("the test is over");
      if (options.runtimeDir === undefined) rmSync(runtimeDir, { recursive: true, force: true });
    },
  };
}
