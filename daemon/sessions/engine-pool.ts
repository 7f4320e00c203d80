/**
 * The engines that are loaded, one process per model. A dead one is forgotten; the next request for its model starts another.
 */
import type { Engine, KvChoice, ModelInfo, WeightType } from "../engine/engine.ts";
import { toFailure } from "../failure/failure.ts";
import type { DeviceName } from "../protocol/device.ts";
import type { EngineState } from "../protocol/status.ts";

/** An engine with its model. `alive` is false from its death or disposal on; its KV states are gone then. */
export interface LoadedEngine {
  readonly modelDir: string;
  readonly engine: Engine;
  readonly info: ModelInfo;
  alive: boolean;
}

export interface EnginePoolOptions {
  readonly startEngine: () => Engine;
  readonly device: DeviceName;
  /** 0: all cores. */
  readonly threads: number;
  /** What keys and values may be kept in. */
  readonly kv: KvChoice;
  readonly weights: WeightType;
  readonly onDied: (modelDir: string, reason: string) => void;
  /** An engine is up again after one died. */
  readonly onRestarted: (modelDir: string) => void;
}

export class EnginePool {
  readonly #options: EnginePoolOptions;
  readonly #loading = new Map<string, Promise<LoadedEngine>>();
  readonly #loaded = new Map<string, LoadedEngine>();
  /** Of every model that was loaded once: it holds for the next engine, too. */
  readonly #infos = new Map<string, ModelInfo>();
  #lastDeath: string | null = null;
  /** Nothing has been started since. */
  #isDown = false;

  constructor(options: EnginePoolOptions) {
    this.#options = options;
  }

  /** The engine with this model, if it is up. */
  current(modelDir: string): LoadedEngine | undefined {
    return this.#loaded.get(modelDir);
  }

  lastInfo(modelDir: string): ModelInfo | null {
    return this.#infos.get(modelDir) ?? null;
  }

  /** Starts an engine and loads the model if need be. Rejects with the catalogue's model, device or engine codes. */
  async get(modelDir: string): Promise<LoadedEngine> {
    const loaded = this.#loaded.get(modelDir);
    if (loaded) return loaded;
    let loading = this.#loading.get(modelDir);
    if (!loading) {
      loading = this.#load(modelDir).finally(() => this.#loading.delete(modelDir));
      this.#loading.set(modelDir, loading);
    }
    return loading;
  }

  async state(): Promise<EngineState> {
    const [loaded] = this.#loaded.values();
    if (loaded) {
      const { modelDir: model, info, engine } = loaded;
      const { architecture, device, deviceName, deviceBytes, instructionSet, threads, maxContextTokens } = info;
      const memory = await engine.memory().catch(() => ({ peakBytes: 0, kvBytes: 0, hostKvBytes: 0 }));
      const { peakBytes: peakMemoryBytes, kvBytes, hostKvBytes } = memory;
      return {
        state: "ready",
        model,
        architecture,
        device,
        deviceName,
        deviceBytes,
        instructionSet,
        threads,
        maxContextTokens,
        peakMemoryBytes,
        kvBytes,
        hostKvBytes,
        lastDeath: this.#lastDeath,
      };
    }
    const [starting] = this.#loading.keys();
    if (starting !== undefined) return { state: "starting", model: starting };
    return { state: "stopped", lastDeath: this.#lastDeath };
  }

  /** Ends the engines of all models but these; false when there were none. */
  async disposeUnused(modelDirsInUse: ReadonlySet<string>): Promise<boolean> {
    const unused = this.#unused(modelDirsInUse);
    await Promise.all(unused.map((loaded) => this.#dispose(loaded)));
    return unused.length > 0;
  }

  /** What that would free for sure beside KV: weights in a device's own memory. Those in the machine's can be dropped anyway. */
  unusedBytes(modelDirsInUse: ReadonlySet<string>): number {
    const onDevice = this.#unused(modelDirsInUse).filter(({ info }) => info.deviceBytes > 0);
    return onDevice.reduce((sum, { info }) => sum + info.weightsBytes, 0);
  }

  #unused(modelDirsInUse: ReadonlySet<string>): LoadedEngine[] {
    return [...this.#loaded.values()].filter((loaded) => !modelDirsInUse.has(loaded.modelDir));
  }

  async close(): Promise<void> {
    // What is still loading ends with its process, too; its promise rejects with `engine-stopped`.
    for (const engine of this.#starting) await engine.dispose();
    await this.disposeUnused(new Set());
  }

  readonly #starting = new Set<Engine>();

  async #load(modelDir: string): Promise<LoadedEngine> {
    const { startEngine, device, threads, kv, weights, onDied, onRestarted } = this.#options;
    const engine = startEngine();
    this.#starting.add(engine);
    let loaded: LoadedEngine | null = null;
    engine.onDied((reason) => {
      this.#lastDeath = reason;
      this.#isDown = true;
      if (loaded) this.#forget(loaded);
      onDied(modelDir, reason);
    });
    try {
      const info = await engine.load(modelDir, { device, ...(threads > 0 ? { threads } : {}), kv, weights });
      loaded = { modelDir, engine, info, alive: true };
      this.#loaded.set(modelDir, loaded);
      this.#infos.set(modelDir, info);
      if (this.#isDown) onRestarted(modelDir);
      this.#isDown = false;
      return loaded;
    } catch (thrown) {
      await engine.dispose();
      throw toFailure(thrown);
    } finally {
      this.#starting.delete(engine);
    }
  }

  async #dispose(loaded: LoadedEngine): Promise<void> {
    this.#forget(loaded);
    await loaded.engine.dispose();
  }

  #forget(loaded: LoadedEngine): void {
    loaded.alive = false;
    if (this.#loaded.get(loaded.modelDir) === loaded) this.#loaded.delete(loaded.modelDir);
  }
}
