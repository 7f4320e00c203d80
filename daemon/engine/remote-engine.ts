/** The engine interface spoken over a channel: numbers the calls, carries cancellation, and settles every call. */
import { setTimeout as sleep } from "node:timers/promises";
import { Failure, isErrorCode } from "../failure/failure.ts";
import type {
  Engine,
  EngineMemory,
  Generated,
  KvState,
  MemoryPlan,
  ModelInfo,
  PatternScores,
  Prefilled,
} from "./engine.ts";
import type { CallName, CallRequest, EngineCalls, EngineChannel, FromWorker } from "./wire.ts";

interface PendingCall {
  resolve(value: unknown): void;
  reject(failure: Failure): void;
  onProgress?(processedTokens: number, totalTokens: number): void;
  onToken?(tokenId: number): void;
}

interface CallOptions {
  signal?: AbortSignal;
  onProgress?: PendingCall["onProgress"];
  onToken?: PendingCall["onToken"];
}

/** A process that is killed within the driver may take its time to go; who waits for an answer need not. */
const mostDyingMs = 10_000;

export class RemoteEngine implements Engine {
  readonly #channel: EngineChannel;
  readonly #pending = new Map<number, PendingCall>();
  readonly #diedListeners: ((reason: string) => void)[] = [];
  #nextCall = 1;
  #ended: Failure | null = null;
  /** Why the process is being ended, when it said that its device has failed. */
  #deviceFailure: string | null = null;
  #disposing = false;

  constructor(channel: EngineChannel) {
    this.#channel = channel;
    channel.onMessage((message) => {
      this.#receive(message);
    });
    channel.onClosed((reason) => {
      this.#closed(reason);
    });
  }

  async load(modelDir: string, options: Parameters<Engine["load"]>[1]): Promise<ModelInfo> {
    const { device, threads = 0, kv: precision = "auto", weights = "bf16" } = options;
    return this.#call("load", { modelDir, device, threads, precision, weights });
  }

  async plan(
    contextTokens: number,
    chunkTokens: number,
    held?: Parameters<Engine["plan"]>[2],
  ): Promise<readonly MemoryPlan[]> {
    return this.#call("plan", { contextTokens, chunkTokens, heldTokens: held?.tokens ?? 0, kv: held?.kv ?? null });
  }

  async prefill(
    base: KvState | null,
    tokens: Uint32Array,
    options: Parameters<Engine["prefill"]>[2],
  ): Promise<Prefilled> {
    const { chunkTokens, kv = null, settings } = options;
    return this.#call(
      "prefill",
      { base: base?.id ?? null, tokens, chunkTokens, kv, settings },
      {
        signal: options.signal,
        onProgress: (processedTokens, totalTokens) => {
          options.onProgress({ processedTokens, totalTokens });
        },
      },
    );
  }

  async tryPatterns(tokens: Uint32Array, options: Parameters<Engine["tryPatterns"]>[1]): Promise<PatternScores> {
    const { chunkTokens, trial, signal } = options;
    const onProgress = (processedTokens: number, totalTokens: number): void => {
      options.onProgress({ processedTokens, totalTokens });
    };
    return this.#call("tryPatterns", { tokens, chunkTokens, trial }, { signal, onProgress });
  }

  async view(state: KvState, tokenCount: number): Promise<KvState> {
    return this.#call("view", { state: state.id, tokenCount });
  }

  async generate(base: KvState, tokens: Uint32Array, options: Parameters<Engine["generate"]>[2]): Promise<Generated> {
    const { maxTokens, chunkTokens, sampling, signal, onToken } = options;
    const { evidenceEnds = new Uint32Array() } = options;
    const params = { base: base.id, tokens, maxTokens, chunkTokens, sampling, evidenceEnds };
    return this.#call("generate", params, { signal, onToken });
  }

  async stow(state: KvState, mostBytes: number): Promise<void> {
    await this.#call("stow", { state: state.id, mostBytes });
  }

  async restore(state: KvState): Promise<void> {
    await this.#call("restore", { state: state.id });
  }

  async release(state: KvState): Promise<void> {
    await this.#call("release", { state: state.id });
  }

  async memory(): Promise<EngineMemory> {
    return this.#call("memory", null);
  }

  async dispose(): Promise<void> {
    this.#disposing = true;
    this.#end(new Failure("engine-stopped", "The engine was stopped before it had finished."));
    await this.#channel.close();
  }

  readonly onDied = (listener: (reason: string) => void): void => {
    this.#diedListeners.push(listener);
  };

  #call<Name extends CallName>(
    name: Name,
    params: EngineCalls[Name]["params"],
    options: CallOptions = {},
  ): Promise<EngineCalls[Name]["result"]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const call = this.#nextCall++;
    const { signal } = options;
    return new Promise<EngineCalls[Name]["result"]>((resolve, reject) => {
      const cancel = (): void => {
        this.#channel.send({ kind: "cancel", call });
      };
      const settle = (): void => {
        this.#pending.delete(call);
        signal?.removeEventListener("abort", cancel);
      };
      this.#pending.set(call, {
        resolve: (value) => {
          settle();
          // eslint-disable-next-line @typescript-eslint/consistent-type-assertions -- wire.ts pairs calls and results; both sides are ours
          resolve(value as EngineCalls[Name]["result"]);
        },
        reject: (failure) => {
          settle();
          reject(failure);
        },
        ...(options.onProgress ? { onProgress: options.onProgress } : {}),
        ...(options.onToken ? { onToken: options.onToken } : {}),
      });
      // eslint-disable-next-line @typescript-eslint/consistent-type-assertions -- the signature pairs name and params; a union cannot
      this.#channel.send({ kind: "call", call, name, params } as CallRequest);
      if (signal?.aborted) cancel();
      else signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  #receive(message: FromWorker): void {
    const pending = this.#pending.get(message.call);
    if (!pending) return; // settled already: the engine ended meanwhile
    switch (message.kind) {
      case "result":
        pending.resolve(message.value);
        return;
      case "error":
        if (message.code === "engine-died") void this.#endWith(message.message);
        else pending.reject(new Failure(isErrorCode(message.code) ? message.code : "internal", message.message));
        return;
      case "progress":
        pending.onProgress?.(message.processedTokens, message.totalTokens);
        return;
      case "token":
        pending.onToken?.(message.tokenId);
    }
  }

  /** A GPU that failed serves this process no more. Calls are settled once it is gone, so that the next engine finds the GPU free. */
  async #endWith(deviceFailure: string): Promise<void> {
    this.#deviceFailure ??= deviceFailure;
    await Promise.race([this.#channel.close(), sleep(mostDyingMs)]);
    this.#closed(deviceFailure);
  }

  #closed(reason: string): void {
    if (this.#disposing || this.#ended) return;
    const said = this.#deviceFailure;
    this.#end(new Failure("engine-died", said ?? `The engine's process ended unexpectedly (${reason}).`));
    for (const listener of this.#diedListeners) listener(said ?? reason);
  }

  #end(failure: Failure): void {
    this.#ended ??= failure;
    for (const pending of [...this.#pending.values()]) pending.reject(this.#ended);
  }
}
