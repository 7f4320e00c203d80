/** The scripted addon behind the same wire as the native engine, in this process; it can be made to die. */
import type { Engine } from "./engine.ts";
import { RemoteEngine } from "./remote-engine.ts";
import { defaultScript, newWork, type Script, scriptedAddon, type ScriptedWork } from "./scripted-addon.ts";
import type { EngineChannel, FromWorker, ToWorker } from "./wire.ts";
import { WorkerService } from "./worker-service.ts";

export interface ScriptedEngine extends Engine {
  /** What was asked of it so far. */
  readonly work: ScriptedWork;
  /** As a crash of the engine's process does. */
  die(reason: string): void;
}

export function startScriptedEngine(script: Partial<Script> = {}, work: ScriptedWork = newWork()): ScriptedEngine {
  const channel = new LocalChannel({ ...defaultScript, ...script }, work);
  return Object.assign(new RemoteEngine(channel), {
    work,
    die: (reason: string) => {
      channel.die(reason);
    },
  });
}

class LocalChannel implements EngineChannel {
  readonly #service: WorkerService;
  readonly #listeners: ((message: FromWorker) => void)[] = [];
  readonly #closedListeners: ((reason: string) => void)[] = [];
  #open = true;

  constructor(script: Script, work: ScriptedWork) {
    this.#service = new WorkerService(scriptedAddon(script, work), (message) => {
      if (this.#open) for (const listener of this.#listeners) listener(message);
    });
  }

  send(message: ToWorker): void {
    // A process answers later, never within the call; queueMicrotask keeps that order here.
    queueMicrotask(() => {
      if (this.#open) void this.#service.receive(message);
    });
  }

  onMessage(listener: (message: FromWorker) => void): void {
    this.#listeners.push(listener);
  }

  onClosed(listener: (reason: string) => void): void {
    this.#closedListeners.push(listener);
  }

  close(): Promise<void> {
    this.#open = false;
    return Promise.resolve();
  }

  die(reason: string): void {
    this.#open = false;
    for (const listener of this.#closedListeners) listener(reason);
  }
}
