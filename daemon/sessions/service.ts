/** What the daemon does for its clients: questions, contexts, and a look at itself. Knows nothing of sockets. */
import { realpath, stat } from "node:fs/promises";
import type { Engine, KvChoice, WeightType } from "../engine/engine.ts";
import { Failure } from "../failure/failure.ts";
import { loadPromptModel, type PromptModel, TokenCache } from "../prompt/index.ts";
import type {
  AskParams,
  AskRecord,
  CacheParams,
  CacheResult,
  ContextChanges,
  ContextResult,
  ModelsResult,
  OpenResult,
  ServerStatusParams,
  StatusResult,
  SummarizeParams,
  SummarizeResult,
  SummaryPiece,
  Target,
} from "../protocol/index.ts";
import type { DeviceName } from "../protocol/device.ts";
import { limits } from "../protocol/limits.ts";
import { abortable } from "./abortable.ts";
import { listChanges } from "./context-changes.ts";
import { answerQuestion } from "./answer-question.ts";
import { chooseContext } from "./context-size.ts";
import { listFiles, listLeftOut, summarizeContext } from "./context-summary.ts";
import { Conversations } from "./conversations.ts";
import { EnginePool, type LoadedEngine } from "./engine-pool.ts";
import { checkModelFolder, listModels, supportedArchitectures, weightsIdentity } from "./model-folders.ts";
import { phaseRecord } from "./phase-record.ts";
import { toRecord } from "./prefill-report.ts";
import { resolvePrefill } from "./prefill-settings.ts";
import { Scheduler } from "./scheduler.ts";
import { type OpenDocuments, type RepositoryView, viewRepository } from "./repository-view.ts";
import { reservedTokens, type Session } from "./session.ts";
import { type SessionKey, SessionStore } from "./session-store.ts";
import type { Report } from "./shared-task.ts";
import { KeptSummaries } from "./summaries/kept-summaries.ts";
import { summarize } from "./summaries/summarize.ts";

export interface ServiceOptions {
  readonly modelsDir: string;
  readonly defaultModel: string;
  /** Where token caches lie; null: in memory only. */
  readonly cacheDir: string | null;
  readonly logFile: string;
  readonly version: string;
  /** What engines are asked to compute on. */
  readonly device: DeviceName;
  readonly threads: number;
  /** What engines may keep keys and values in; default `auto`. */
  readonly kv?: KvChoice;
  /** How much KV may lie in the machine's memory for want of room on a GPU; default: none. */
  readonly hostKvBytes?: number;
  /** What engines keep the weights of linear layers in; default bf16. */
  readonly weights?: WeightType;
  readonly startEngine: () => Engine;
  readonly log: { info(text: string): void; error(text: string, cause?: unknown): void };
}

export interface ResolvedTarget extends Target {
  readonly repository: string;
}

export interface RequestContext {
  readonly signal: AbortSignal;
  readonly report: Report;
  /** What the client's editor holds open. */
  readonly documents: OpenDocuments;
}

export interface AskContext extends RequestContext {
  /** Gets the answer's text as it comes. */
  readonly piece: (text: string) => void;
}

export interface SummarizeContext extends RequestContext {
  readonly onNode: (piece: SummaryPiece) => void;
}

/** Which session a target means, whether there is one or not. */
interface Located {
  readonly view: RepositoryView;
  readonly options: SessionKey;
}

/** A target's session; no engine is needed for it. */
interface Found {
  readonly root: string;
  readonly session: Session;
  readonly view: RepositoryView;
  readonly model: PromptModel;
  readonly contextTokens: number;
}

interface Opened extends Found {
  readonly loaded: LoadedEngine;
}

export class LongsightService {
  readonly #options: ServiceOptions;
  readonly #pool: EnginePool;
  readonly #scheduler = new Scheduler();
  readonly #sessions: SessionStore;
  readonly #conversations = new Conversations();
  readonly #models = new Map<string, Promise<PromptModel>>();
  readonly #healthListeners: ((health: ServerStatusParams) => void)[] = [];
  readonly #startedAt = Date.now();
  #tokenCache: Promise<TokenCache> | null = null;
  #kept: Promise<KeptSummaries> | null = null;
  #connectionCount: () => number = () => 0;
  #address = "";
  #active = 0;
  #lastRequestAt = Date.now();
  #closed = false;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#pool = new EnginePool({
      startEngine: options.startEngine,
      device: options.device,
      threads: options.threads,
      kv: options.kv ?? "auto",
      weights: options.weights ?? "bf16",
      onDied: (modelDir, reason) => {
        options.log.error(`the engine with ${modelDir} died: ${reason}`);
        const message = `The engine died (${reason}); the next question starts it again.`;
        this.#tellHealth({ health: "warning", quiescent: true, message });
      },
      onRestarted: (modelDir) => {
        options.log.info(`another engine with ${modelDir} has been started`);
        this.#tellHealth({ health: "ok", quiescent: true, message: "The engine has been started again." });
      },
    });
    this.#sessions = new SessionStore(this.#pool, options.hostKvBytes ?? 0, (text) => {
      options.log.info(text);
    });
  }

  onHealth(listener: (health: ServerStatusParams) => void): void {
    this.#healthListeners.push(listener);
  }

  /** Who listens, for `status`. */
  attach(address: string, connectionCount: () => number): void {
    this.#address = address;
    this.#connectionCount = connectionCount;
  }

  /** Milliseconds since 1970; now, while a request runs. */
  lastRequestAt(): number {
    return this.#active > 0 ? Date.now() : this.#lastRequestAt;
  }

  async ask(params: AskParams & ResolvedTarget, context: AskContext): Promise<AskRecord> {
    const arrivedAt = performance.now();
    return this.#admit(async () => {
      const opened = await this.#open(params, context);
      return opened.session.use(() =>
        answerQuestion({
          ...opened,
          params,
          context,
          arrivedAt,
          scheduler: this.#scheduler,
          conversations: this.#conversations,
        }),
      );
    });
  }

  async open(target: ResolvedTarget, context: RequestContext): Promise<OpenResult> {
    return this.#admit(async () => {
      const { session, loaded, view } = await this.#open(target, context);
      const { signal, report } = context;
      return session.use(async () => {
        const { pack, changes, basis } = await session.pack(view, signal, report);
        const { prefix, prefillMs, cachedTokens } = await session.prefix(basis, loaded, signal, report);
        await prefix.leave();
        const how = toRecord(prefix);
        return { context: summarizeContext(pack, view, changes.length), cachedTokens, prefillMs, ...how };
      });
    });
  }

  /** The context as the next question would get it. Starts no engine. */
  async context(target: ResolvedTarget, context: RequestContext): Promise<ContextResult> {
    return this.#admit(async () => {
      const { root, session, view, model, contextTokens } = await this.#find(target, context);
      return session.use(async () => {
        const { pack, changes } = await session.pack(view, context.signal, context.report);
        const reserved = reservedTokens(contextTokens);
        const repositoryTokens = contextTokens - reserved;
        return {
          repository: root,
          model: model.modelDir,
          files: listFiles(pack, view),
          ...listLeftOut(pack),
          budget: {
            contextTokens,
            reservedTokens: reserved,
            repositoryTokens,
            usedTokens: pack.tokens.length,
            freeTokens: repositoryTokens - pack.tokens.length,
            heldTokens: session.heldTokensOf(pack),
          },
          changes: listChanges(session.isHeld, changes),
        };
      });
    });
  }

  async summarize(
    params: SummarizeParams & ResolvedTarget,
    { onNode, ...context }: SummarizeContext,
  ): Promise<SummarizeResult> {
    return this.#admit(async () => {
      const opened: Found & { loaded: LoadedEngine | null } = params.keptOnly
        ? { ...(await this.#find(params, context)), loaded: null }
        : await this.#open(params, context);
      this.#kept ??= KeptSummaries.open(this.#options.cacheDir);
      const kept = await this.#kept;
      const modelIdentity = await weightsIdentity(opened.model.modelDir);
      const { signal, report } = context;
      const scheduler = this.#scheduler;
      return opened.session.use(() =>
        summarize({ ...opened, params, scheduler, kept, modelIdentity, signal, report, onNode }),
      );
    });
  }

  /** Asked again and again by editors: no use of the context, and no reason to keep an engine. */
  async changes(target: ResolvedTarget, context: RequestContext): Promise<ContextChanges> {
    const { options, view } = await this.#locate(target, context);
    const session = this.#sessions.peek(options);
    return session ? session.changes(view, context.signal) : listChanges(false, []);
  }

  async status(): Promise<StatusResult> {
    return {
      version: this.#options.version,
      pid: process.pid,
      uptimeMs: Date.now() - this.#startedAt,
      socket: this.#address,
      logFile: this.#options.logFile,
      device: this.#options.device,
      connections: this.#connectionCount(),
      runningRequests: this.#scheduler.isRunning ? 1 : 0,
      queuedRequests: this.#scheduler.waitingCount,
      engine: await this.#pool.state(),
      sessions: this.#sessions.all().map((session) => session.status()),
    };
  }

  async models(): Promise<ModelsResult> {
    const models = await listModels(this.#options.modelsDir, this.#options.defaultModel);
    return { models, supportedArchitectures };
  }

  async cache(params: CacheParams): Promise<CacheResult> {
    const releasedBytes = params.release ? await this.#sessions.freeAll() : 0;
    const sessions = this.#sessions.all().map((session) => session.status());
    return { sessions, heldBytes: sessions.reduce((sum, session) => sum + session.heldBytes, 0), releasedBytes };
  }

  /** Ends the engines' processes, and with them all KV. Nothing happens while a request runs. */
  async freeEngine(): Promise<void> {
    if (this.#active === 0) await this.#pool.disposeUnused(new Set());
  }

  /** Ends what runs and waits with `engine-stopped`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#scheduler.close(new Failure("engine-stopped", "The daemon is stopping."));
    await this.#pool.close();
  }

  #tellHealth(health: ServerStatusParams): void {
    for (const listener of this.#healthListeners) listener(health);
  }

  async #admit<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new Failure("engine-stopped", "The daemon is stopping.");
    if (this.#active >= limits.maxQueuedRequests) {
      throw new Failure(
        "queue-full",
        `${this.#active.toString()} requests are running or waiting, the most that are allowed.`,
      );
    }
    this.#active += 1;
    try {
      return await work();
    } finally {
      this.#active -= 1;
      this.#lastRequestAt = Date.now();
    }
  }

  /** Folder, model and engine, checked in the order in which a user would want to hear of a mistake. */
  async #open(target: ResolvedTarget, context: RequestContext): Promise<Opened> {
    await findFolder(target.repository);
    const modelDir = await this.#modelDir(target);
    const startedAt = performance.now();
    if (!this.#pool.current(modelDir)) {
      context.report(phaseRecord("loading", { elapsedMs: performance.now() - startedAt }));
    }
    await this.#promptModel(modelDir);
    const loaded = await abortable(this.#pool.get(modelDir), context.signal);
    return { ...(await this.#find(target, context)), loaded };
  }

  /** The same without an engine. */
  async #find(target: ResolvedTarget, context: RequestContext): Promise<Found> {
    const { options, view } = await this.#locate(target, context);
    const { root, model, contextTokens } = options;
    return { root, session: this.#sessions.get(options), view, model, contextTokens };
  }

  async #locate(target: ResolvedTarget, { documents }: RequestContext): Promise<Located> {
    const root = await findFolder(target.repository);
    const modelDir = await this.#modelDir(target);
    const model = await this.#promptModel(modelDir);
    const prefill = await resolvePrefill(target, modelDir);
    const { device } = this.#options;
    const contextTokens = await chooseContext(target.contextTokens, model, this.#pool.lastInfo(modelDir), device);
    const view = await viewRepository(root, target.repository, target, documents);
    this.#tokenCache ??= TokenCache.open({ directory: this.#options.cacheDir });
    const tokenCache = await this.#tokenCache;
    return { view, options: { root, model, contextTokens, prefill, tokenCache, scheduler: this.#scheduler } };
  }

  async #modelDir(target: ResolvedTarget): Promise<string> {
    const modelDir = target.model ?? this.#options.defaultModel;
    await checkModelFolder(modelDir);
    return modelDir;
  }

  async #promptModel(modelDir: string): Promise<PromptModel> {
    let model = this.#models.get(modelDir);
    if (!model) {
      model = loadPromptModel(modelDir);
      this.#models.set(modelDir, model);
      // A folder that could not be read is read again next time: the user may have mended it.
      model.catch(() => this.#models.delete(modelDir));
    }
    return model;
  }
}

async function findFolder(folder: string): Promise<string> {
  const root = await realpath(folder).catch(() => null);
  if (root === null || !(await stat(root)).isDirectory()) {
    throw new Failure("no-such-folder", `There is no folder ${folder}.`);
  }
  return root;
}
