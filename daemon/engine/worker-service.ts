/** The engine's side of the wire: serves calls with an addon. Runs in the child process (and, in tests, beside it). */
import type { Addon, NativeKv, NativeModel } from "../../native/addon.d.ts";
import type { KvType } from "../protocol/prefill.ts";
import type { CallName, CallRequest, EngineCalls, FromWorker, KvHandle, ToWorker } from "./wire.ts";

/** An error with a catalogue code, as the addon's are. */
class ServiceError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** f32 is for tests of the addon alone: no engine's process loads a model that way. */
function kvType(type: NativeKv["type"]): KvType {
  if (type === "bf16" || type === "fp8") return type;
  throw new ServiceError("internal", `KV of type "${type}" in an engine's process.`);
}

export class WorkerService {
  readonly #addon: Addon;
  readonly #send: (message: FromWorker) => void;
  readonly #states = new Map<number, NativeKv>();
  /** Cancel flags of running calls: shared memory that the addon's threads poll. */
  readonly #cancelFlags = new Map<number, Int32Array>();
  #nextState = 1;
  #model: NativeModel | null = null;

  constructor(addon: Addon, send: (message: FromWorker) => void) {
    this.#addon = addon;
    this.#send = send;
  }

  /** Handles one message; every call is answered by exactly one result or error. Never rejects. */
  async receive(message: ToWorker): Promise<void> {
    if (message.kind === "cancel") {
      const flag = this.#cancelFlags.get(message.call);
      if (flag) Atomics.store(flag, 0, 1);
      return;
    }
    const { call } = message;
    try {
      this.#send({ kind: "result", call, value: await this.#serve(message) });
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "internal";
      this.#send({ kind: "error", call, code, message: thrown instanceof Error ? thrown.message : String(thrown) });
    } finally {
      this.#cancelFlags.delete(call);
    }
  }

  async #serve(request: CallRequest): Promise<EngineCalls[CallName]["result"]> {
    switch (request.name) {
      case "load":
        return this.#load(request.params);
      case "plan": {
        const { contextTokens, chunkTokens, heldTokens, kv } = request.params;
        const choices = this.#loaded().plan(contextTokens, chunkTokens, heldTokens, kv ?? "");
        return choices.map((choice) => ({ ...choice, kv: kvType(choice.kv) }));
      }
      case "prefill":
        return this.#prefill(request.call, request.params);
      case "tryPatterns":
        return this.#tryPatterns(request.call, request.params);
      case "view":
        return this.#keep(this.#state(request.params.state).view(request.params.tokenCount));
      case "generate":
        return this.#generate(request.call, request.params);
      case "stow":
        await this.#state(request.params.state).stow(request.params.mostBytes);
        return null;
      case "restore":
        await this.#state(request.params.state).restore();
        return null;
      case "release": {
        this.#state(request.params.state).release();
        this.#states.delete(request.params.state);
        return null;
      }
      case "memory":
        return this.#loaded().memory();
    }
  }

  async #load({ modelDir, ...options }: EngineCalls["load"]["params"]): Promise<EngineCalls["load"]["result"]> {
    if (this.#model) throw new ServiceError("internal", "This engine process has a model already; start another one.");
    this.#model = await this.#addon.loadModel(modelDir, options);
    const info = this.#model.info();
    return { modelDir, ...info, kv: kvType(info.kv) };
  }

  async #prefill(call: number, params: EngineCalls["prefill"]["params"]): Promise<EngineCalls["prefill"]["result"]> {
    const model = this.#loaded();
    const empty = params.base === null ? model.emptyKv() : null;
    const base = empty ?? this.#state(params.base ?? 0);
    try {
      const onProgress = (processed: number, total: number): void => {
        this.#send({ kind: "progress", call, processedTokens: processed, totalTokens: total });
      };
      const settings = {
        ...params.settings,
        patterns: params.settings.patterns ?? "",
        recallFloor: params.settings.recallFloor ?? -1,
        scoreFrom: params.settings.scoreFrom ?? 0,
        kv: params.kv ?? "",
      } as const;
      const flag = this.#flag(call);
      const { kv, report } = await model.prefill(base, params.tokens, params.chunkTokens, flag, onProgress, settings);
      return { kv: this.#keep(kv), report };
    } finally {
      empty?.release();
    }
  }

  async #tryPatterns(
    call: number,
    { tokens, chunkTokens, trial }: EngineCalls["tryPatterns"]["params"],
  ): Promise<EngineCalls["tryPatterns"]["result"]> {
    const onProgress = (processed: number, total: number): void => {
      this.#send({ kind: "progress", call, processedTokens: processed, totalTokens: total });
    };
    const settings = { ...trial, candidates: [...trial.candidates] };
    return this.#loaded().tryPatterns(tokens, chunkTokens, this.#flag(call), onProgress, settings);
  }

  async #generate(call: number, params: EngineCalls["generate"]["params"]): Promise<EngineCalls["generate"]["result"]> {
    const model = this.#loaded();
    const { temperature, topK = 0, topP = 1, seed = 0 } = params.sampling;
    const options = {
      maxTokens: params.maxTokens,
      chunkTokens: params.chunkTokens,
      temperature,
      topK,
      topP,
      seed,
      endTokenIds: model.info().endTokenIds,
      evidenceEnds: params.evidenceEnds,
    };
    const generated = await model.generate(
      this.#state(params.base),
      params.tokens,
      options,
      this.#flag(call),
      (tokenId) => {
        this.#send({ kind: "token", call, tokenId });
      },
    );
    return { ...generated, kv: this.#keep(generated.kv) };
  }

  #flag(call: number): Int32Array {
    const flag = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    this.#cancelFlags.set(call, flag);
    return flag;
  }

  #keep(kv: NativeKv): KvHandle {
    const id = this.#nextState++;
    this.#states.set(id, kv);
    return { id, tokenCount: kv.tokenCount, type: kvType(kv.type), sizeBytes: kv.bytes };
  }

  #state(id: number): NativeKv {
    const kv = this.#states.get(id);
    if (!kv) throw new ServiceError("internal", `KV state ${id.toString()} is unknown or was released.`);
    return kv;
  }

  #loaded(): NativeModel {
    if (!this.#model) throw new ServiceError("internal", "No model is loaded in this engine process.");
    return this.#model;
  }
}
