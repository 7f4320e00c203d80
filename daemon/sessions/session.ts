/**
 * One repository in one model's context: the scan, the pack, and the KV of as much of it as has been computed. Every client
 * that asks about the same repository, model, context size and kind of prefill shares it.
 */
import type { MemoryPlan } from "../engine/engine.ts";
import { Failure, throwIfCancelled, toFailure } from "../failure/failure.ts";
import { packRepository, type PackedRepository, type PromptModel, type TokenCache } from "../prompt/index.ts";
import { changedSince, scanRepository } from "../repository/index.ts";
import type { ContextChange, ContextChanges } from "../protocol/context.ts";
import type { SessionStatus } from "../protocol/status.ts";
import { abortable } from "./abortable.ts";
import { changesSince, listChanges, type PackBasis } from "./context-changes.ts";
import type { LoadedEngine } from "./engine-pool.ts";
import type { HeldPrefix } from "./held-prefix.ts";
import { ensureRoom, isBelow, type SharedMemory } from "./memory-plan.ts";
import { phaseRecord } from "./phase-record.ts";
import { chunkTokens, prefill, reusableTokens } from "./prefill.ts";
import type { ResolvedPrefill } from "./prefill-settings.ts";
import type { RepositoryView } from "./repository-view.ts";
import type { Scheduler } from "./scheduler.ts";
import { type Report, SharedTask } from "./shared-task.ts";

/** Tokens of the context that are kept free for a question and for its answer. */
export const reservedQuestionTokens = 512;
export const reservedAnswerTokens = 512;

/** Of a small context at most half. */
export function reservedTokens(contextTokens: number): number {
  return Math.min(reservedQuestionTokens + reservedAnswerTokens, Math.floor(contextTokens / 2));
}

export interface SessionOptions {
  readonly root: string;
  readonly model: PromptModel;
  readonly contextTokens: number;
  readonly prefill: ResolvedPrefill;
  readonly tokenCache: TokenCache;
  readonly scheduler: Scheduler;
  readonly memory: SharedMemory;
}

/** What a prefill did for the request that waited for it. */
export interface PrefillOutcome {
  readonly prefillMs: number;
  readonly cachedTokens: number;
}

export interface PackOutcome {
  readonly pack: PackedRepository;
  /** What became different since the held KV was computed; empty when none is held. */
  readonly changes: readonly ContextChange[];
  /** What `prefix` needs to know of it. */
  readonly basis: PackBasis;
}

export class Session {
  readonly #options: SessionOptions;
  /** The last pack, whether its KV was computed or not. */
  #packed: PackBasis | null = null;
  /** What the held KV is computed from. */
  #basis: PackBasis | null = null;
  /** Files that had changed when somebody last looked. */
  #changedFiles = 0;
  /** Ends when the scan that is running has ended: the next one only looks for changes since. */
  #packTurn: Promise<unknown> = Promise.resolve();
  #held: HeldPrefix | null = null;
  #prefill: { readonly identity: string; readonly task: SharedTask<PrefillOutcome> } | null = null;
  /** The KV is on its way to the machine's memory. */
  #move: Promise<string | null> | null = null;
  #users = 0;
  #waitsForRoom = false;
  #lastUsedAt = Date.now();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get lastUsedAt(): number {
    return this.#users > 0 ? Date.now() : this.#lastUsedAt;
  }

  get isInUse(): boolean {
    return this.#users > 0 || this.#prefill !== null || this.#move !== null;
  }

  /** For memory that others use: it will not give any before it gets some. */
  get waitsForRoom(): boolean {
    return this.#waitsForRoom;
  }

  get modelDir(): string {
    return this.#options.model.modelDir;
  }

  /** Of the KV, wherever it lies. */
  get sizeBytes(): number {
    return this.#held?.sizeBytes ?? 0;
  }

  /** Of the device's memory. */
  get heldBytes(): number {
    return this.#held?.isStowed ? 0 : this.sizeBytes;
  }

  /** Of the machine's memory, where it is not the device's. */
  get stowedBytes(): number {
    return this.sizeBytes - this.heldBytes;
  }

  status(): SessionStatus {
    const { root, model, contextTokens } = this.#options;
    const held = this.#held?.isAlive ? this.#held : null;
    return {
      repository: root,
      model: model.modelDir,
      contextTokens,
      files: this.#packed?.pack.files.length ?? 0,
      heldTokens: held?.kv.tokenCount ?? 0,
      heldBytes: held?.sizeBytes ?? 0,
      kv: held?.kv.type ?? null,
      chunkTokens: held?.chunkTokens ?? null,
      stowed: held?.isStowed ?? false,
      changedFiles: held ? this.#changedFiles : 0,
      lastUsedMsAgo: Date.now() - this.lastUsedAt,
    };
  }

  /** Marks the session as in use while `work` runs, so that nobody frees what it needs. */
  async use<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#users -= 1;
      this.#lastUsedAt = Date.now();
      this.#options.memory.onIdle();
    }
  }

  /** The repository as it is now, as tokens. Rejects with the codes of scanRepository and packRepository. */
  async pack(view: RepositoryView, signal: AbortSignal, report: Report): Promise<PackOutcome> {
    const turn = this.#packTurn.then(() => this.#packNow(view, signal, report));
    this.#packTurn = turn.catch(() => undefined);
    return abortable(turn, signal); // also while another client's scan has its turn
  }

  /** How stale the held KV is; files that did not move are not read. */
  async changes({ choice, overlays }: RepositoryView, signal: AbortSignal): Promise<ContextChanges> {
    const basis = this.#held?.isAlive ? this.#basis : null;
    if (!basis) return listChanges(false, []);
    const { root } = this.#options;
    const scan = await scanRepository(root, { signal, overlays, choice, previous: this.#packed?.scan ?? basis.scan });
    const changes = changesSince(basis, scan, choice);
    this.#changedFiles = changes.length;
    return listChanges(true, changes);
  }

  /** How many tokens of the pack have their KV. */
  heldTokensOf(pack: PackedRepository): number {
    return reusableTokens(this.#held, pack.tokens);
  }

  get isHeld(): boolean {
    return this.#held?.isAlive ?? false;
  }

  /** The KV of the whole pack; the caller calls `leave` on the prefix. Clients that need the same wait for one prefill. */
  async prefix(
    basis: PackBasis,
    loaded: LoadedEngine,
    signal: AbortSignal,
    report: Report,
  ): Promise<PrefillOutcome & { prefix: HeldPrefix }> {
    const { pack } = basis;
    let outcome: PrefillOutcome = { prefillMs: 0, cachedTokens: pack.tokens.length };
    for (;;) {
      throwIfCancelled(signal);
      if (!loaded.alive) throw new Failure("engine-died", "The engine's process ended while the repository was read.");
      const held = this.#held;
      if (this.#move) {
        await abortable(this.#move, signal);
        continue;
      }
      const isComplete =
        held?.tokens.length === pack.tokens.length && reusableTokens(held, pack.tokens) === pack.tokens.length;
      if (held && isComplete && !held.isStowed) {
        this.#basis = basis;
        this.#changedFiles = 0;
        return { ...outcome, prefix: held.join() };
      }
      const running = this.#prefill;
      if (running?.identity === pack.identity && running.task.isJoinable) {
        outcome = await running.task.join(signal, report);
      } else if (running) {
        await abortable(running.task.over(), signal); // another state of the files, or one that its clients gave up
      } else {
        this.#startPrefill(basis, loaded);
      }
    }
  }

  /** Whether the KV may go to the machine's memory: on a device with memory of its own, and read by no answer. */
  get canBeStowed(): boolean {
    const held = this.#held;
    return held !== null && held.isAlive && !held.isStowed && !held.isShared && held.loaded.info.deviceBytes > 0;
  }

  /** Moves it there, when nobody uses the session; resolves with why that cannot be, or null. */
  async stow(mostBytes: number): Promise<string | null> {
    const held = this.#held;
    if (!held || !this.canBeStowed) return "it cannot be moved";
    this.#move = held.stow(mostBytes).then(
      () => null,
      (thrown: unknown) => toFailure(thrown).message,
    );
    try {
      return await this.#move;
    } finally {
      this.#move = null;
      this.#options.memory.onIdle();
    }
  }

  /** Frees the KV. An answer that is reading it keeps it to its end. */
  async release(): Promise<void> {
    const held = this.#held;
    this.#held = null;
    await held?.leave();
  }

  async #packNow(view: RepositoryView, signal: AbortSignal, report: Report): Promise<PackOutcome> {
    const { root, model, contextTokens, tokenCache } = this.#options;
    throwIfCancelled(signal);
    const startedAt = performance.now();
    const tell = (phase: "scanning" | "packing", tokens: number): void => {
      report(phaseRecord(phase, { processedTokens: tokens, elapsedMs: performance.now() - startedAt }));
    };
    tell("scanning", 0);
    const { choice, overlays } = view;
    const last = this.#packed;
    const since = last ? await changedSince(last.scan, { signal, overlays, choice }) : null;
    const scan = since?.scan ?? (await scanRepository(root, { signal, overlays, choice }));
    // In the order of what is held: a look at another choice, which nobody asked about, costs no KV when it is taken back.
    const before = (this.isHeld ? this.#basis?.pack : undefined) ?? last?.pack;
    const isSame = since?.count === 0 && last?.choice.identity === choice.identity;
    const pack = isSame
      ? last.pack
      : await packRepository(scan, model, {
          budgetTokens: contextTokens - reservedTokens(contextTokens),
          ...(before ? { previous: before } : {}),
          cache: tokenCache,
          overlays,
          signal,
          onProgress: ({ tokens }) => {
            tell("packing", tokens);
          },
        });
    const basis = { pack, scan, choice };
    this.#packed = basis;
    const changes = this.#basis && this.isHeld ? changesSince(this.#basis, scan, choice) : [];
    this.#changedFiles = changes.length;
    return { pack, changes, basis };
  }

  #startPrefill(basis: PackBasis, loaded: LoadedEngine): void {
    const task = new SharedTask<PrefillOutcome>((signal, report) => this.#prefillInRoom(basis, loaded, signal, report));
    this.#prefill = { identity: basis.pack.identity, task };
    void task.over().then(() => {
      this.#prefill = null;
      this.#options.memory.onIdle();
    });
  }

  /**
   * In the best way that there is memory for. Memory that was planned for and then is not there, since another process took it,
   * counts as a way that does not fit: what was computed until then stays, and the next way goes on from it.
   */
  async #prefillInRoom(
    basis: PackBasis,
    loaded: LoadedEngine,
    signal: AbortSignal,
    report: Report,
  ): Promise<PrefillOutcome> {
    const { scheduler, contextTokens, memory } = this.#options;
    const { tokens } = basis.pack;
    const plannedTokens = Math.min(contextTokens, tokens.length + reservedQuestionTokens + reservedAnswerTokens);
    let cachedTokens = reusableTokens(this.#held, tokens);
    let failed: { readonly way: MemoryPlan; readonly failure: Failure } | null = null;
    for (;;) {
      const reused = reusableTokens(this.#held, tokens);
      if (reused === 0) await this.release(); // its memory is needed for the new one
      const held = this.#held;
      const tried = failed;
      const allWays = async (heldTokens: number): Promise<readonly MemoryPlan[]> => {
        const there = held && heldTokens > 0 ? { tokens: heldTokens, kv: held.kv.type } : undefined;
        // What is stowed needs its place on the device again, beside what is planned.
        const back = there && held?.isStowed ? held.sizeBytes : 0;
        const planned = await loaded.engine.plan(plannedTokens, chunkTokens, there);
        return planned.map((way) => ({
          ...way,
          kvBytes: way.kvBytes + back,
          requiredBytes: way.requiredBytes + back,
        }));
      };
      const ways = async (heldTokens: number): Promise<readonly MemoryPlan[]> => {
        const all = await allWays(heldTokens);
        if (!tried) return all;
        const { way: least, failure } = tried;
        const left = all.filter((way) => isBelow(way, least));
        if (left.length === 0) throw failure;
        return left;
      };
      let way: MemoryPlan;
      let isPlanned = false;
      try {
        const plan = (): Promise<readonly MemoryPlan[]> => ways(reused);
        way = await ensureRoom({ contextTokens: plannedTokens, plan, memory });
        isPlanned = true;
        if (held?.isStowed) await this.#restore(held, report);
      } catch (thrown) {
        if (toFailure(thrown).code !== "not-enough-memory") throw thrown;
        const room = await this.#awaitRoom(await allWays(reused), tokens.length, signal, report);
        // What was there by the plan, and was not when it was taken, is not tried again before something has changed.
        if (room === "after waiting" || (room === "now" && !isPlanned && !tried)) {
          failed = null;
          continue;
        }
        // What is held keeps its type. Where it cannot be gone on from, all of it may still fit in a lesser one.
        if (!held) throw thrown;
        const anew = await ways(0);
        if (!anew.some((way) => way.requiredBytes <= way.availableBytes + this.heldBytes)) throw thrown;
        await this.release();
        cachedTokens = 0;
        continue;
      }
      const onHeld = async (next: HeldPrefix): Promise<void> => {
        const previous = this.#held;
        this.#held = next;
        this.#basis = basis;
        await previous?.leave();
      };
      try {
        const reduced = way.kv !== loaded.info.kv || way.chunkTokens < chunkTokens;
        const { settings } = this.#options.prefill;
        const options = { loaded, held, tokens, settings, way, reduced, scheduler, signal, report, onHeld };
        return { prefillMs: await prefill(options), cachedTokens };
      } catch (thrown) {
        const failure = toFailure(thrown);
        if (failure.code !== "not-enough-memory") throw failure;
        failed = { way, failure };
      }
    }
  }

  /**
   * Waits for a request on another repository to end, when the memory that it uses would make room for one of the plans. Resolves
   * at once when it would not, and when a request has just ended and there is room.
   */
  async #awaitRoom(
    plans: readonly MemoryPlan[],
    totalTokens: number,
    signal: AbortSignal,
    report: Report,
  ): Promise<"after waiting" | "now" | "never"> {
    const { memory } = this.#options;
    const coming = memory.comingBytes();
    const mostBytes = coming + memory.freeableBytes();
    if (!plans.some((plan) => plan.requiredBytes <= plan.availableBytes + mostBytes)) return "never";
    if (coming === 0) return "now";
    report(phaseRecord("queued", { totalTokens, queuePosition: 1 }));
    this.#waitsForRoom = true;
    try {
      await memory.nextIdle(signal);
    } finally {
      this.#waitsForRoom = false;
    }
    return "after waiting";
  }

  async #restore(held: HeldPrefix, report: Report): Promise<void> {
    const { tokenCount } = held.kv;
    report(phaseRecord("loading", { totalTokens: tokenCount, cachedTokens: tokenCount }));
    await held.restore();
  }
}
