/** A repository's KV while somebody needs it: the session holds it, and so does each answer that reads it. */
import type { KvState, PrefillReport } from "../engine/engine.ts";
import type { LoadedEngine } from "./engine-pool.ts";

/** How a prefix came to be. */
export type PrefixHistory = Pick<HeldPrefix, "segmentCount" | "report" | "chunkTokens" | "reduced">;

export class HeldPrefix {
  readonly loaded: LoadedEngine;
  readonly kv: KvState;
  /** The tokens whose KV this is. */
  readonly tokens: Uint32Array;
  /** How many prefill calls built it: each made one segment. */
  readonly segmentCount: number;
  /** Of all those calls together; a view of a longer prefix keeps the report of the longer one. */
  readonly report: PrefillReport;
  /** The least of those calls. */
  readonly chunkTokens: number;
  /** Memory was too short, in any of them, for the best way. */
  readonly reduced: boolean;
  #users = 1;
  #isStowed = false;

  /** The maker is the first user, and calls `leave` when it is done. */
  constructor(loaded: LoadedEngine, kv: KvState, tokens: Uint32Array, history: PrefixHistory) {
    this.loaded = loaded;
    this.kv = kv;
    this.tokens = tokens;
    this.segmentCount = history.segmentCount;
    this.report = history.report;
    this.chunkTokens = history.chunkTokens;
    this.reduced = history.reduced;
  }

  get isAlive(): boolean {
    return this.loaded.alive;
  }

  get isShared(): boolean {
    return this.#users > 1;
  }

  get sizeBytes(): number {
    return this.isAlive ? this.kv.sizeBytes : 0;
  }

  /** In the machine's memory rather than the device's. */
  get isStowed(): boolean {
    return this.#isStowed;
  }

  /** Only while nobody but the session holds it. Rejects as Engine.stow does. */
  async stow(mostBytes: number): Promise<void> {
    await this.loaded.engine.stow(this.kv, mostBytes);
    this.#isStowed = true;
  }

  /** Rejects as Engine.restore does. */
  async restore(): Promise<void> {
    await this.loaded.engine.restore(this.kv);
    this.#isStowed = false;
  }

  join(): this {
    this.#users += 1;
    return this;
  }

  /** The last user to leave frees the KV. Never rejects: with a dead engine it is free already. */
  async leave(): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0 && this.isAlive) await this.loaded.engine.release(this.kv).catch(() => undefined);
  }
}
