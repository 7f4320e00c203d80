/**
 * One repository in one model's context: the scan, the pack, and the KV of as much of it as has been computed. Every client
 * that asks about the same repository, model, context size and kind of prefill shares it.
 */
import { Failure, throwIfCancelled } from "../failure/failure.ts";
import { packRepository, type PackedRepository, type PromptModel, type TokenCache } from "../prompt/index.ts";
import { changedSince, scanRepository } from "../repository/index.ts";
import type { ContextChange, ContextChanges } from "../protocol/context.ts";
import type { SessionStatus } from "../protocol/status.ts";
import { abortable } from "./abortable.ts";
import { changesSince, listChanges, type PackBasis } from "./context-changes.ts";
import type { LoadedEngine } from "./engine-pool.ts";
import type { HeldPrefix } from "./held-prefix.ts";
import { ensureRoom } from "./memory-plan.ts";
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
  /** Frees memory that other sessions hold for nobody at the moment; false when there is nothing left to free. */
  readonly freeSomething: () => Promise<boolean>;
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
  #users = 0;
  #lastUsedAt = Date.now();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get lastUsedAt(): number {
    return this.#users > 0 ? Date.now() : this.#lastUsedAt;
  }

  get isInUse(): boolean {
    return this.#users > 0 || this.#prefill !== null;
  }

  get modelDir(): string {
    return this.#options.model.modelDir;
  }

  get heldBytes(): number {
    return this.#held?.sizeBytes ?? 0;
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
      const isComplete =
        held?.tokens.length === pack.tokens.length && reusableTokens(held, pack.tokens) === pack.tokens.length;
      if (held && isComplete) {
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
      const elapsedMs = performance.now() - startedAt;
      report({
        phase,
        totalTokens: 0,
        cachedTokens: 0,
        processedTokens: tokens,
        elapsedMs,
        tokensPerSecond: 0,
        etaMs: null,
      });
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
    const { scheduler, freeSomething, contextTokens } = this.#options;
    const { settings } = this.#options.prefill;
    const { tokens, identity } = basis.pack;
    const task = new SharedTask<PrefillOutcome>(async (signal, report) => {
      const cachedTokens = reusableTokens(this.#held, tokens);
      if (cachedTokens === 0) await this.release(); // its memory is needed for the new one
      const plannedTokens = Math.min(contextTokens, tokens.length + reservedQuestionTokens + reservedAnswerTokens);
      await ensureRoom({
        contextTokens: plannedTokens,
        reusedBytes: cachedTokens * loaded.info.kvBytesPerToken,
        plan: () => loaded.engine.plan(plannedTokens, chunkTokens),
        freeSomething,
      });
      const onHeld = async (next: HeldPrefix): Promise<void> => {
        const previous = this.#held;
        this.#held = next;
        this.#basis = basis;
        await previous?.leave();
      };
      const prefillMs = await prefill({
        loaded,
        held: this.#held,
        tokens,
        settings,
        scheduler,
        signal,
        report,
        onHeld,
      });
      return { prefillMs, cachedTokens };
    });
    this.#prefill = { identity, task };
    void task.over().then(() => {
      this.#prefill = null;
    });
  }
}
