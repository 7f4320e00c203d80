/** The sessions that the daemon holds, and which of them gives its memory first. */
import { abortable } from "./abortable.ts";
import { Session, type SessionOptions } from "./session.ts";

/** Sessions without KV still hold their tokens and file lists; beyond this many the one longest unused is dropped. */
const maxSessions = 16;

/** The engines that sessions lean on. */
export interface Engines {
  /** Ends the engines of all models but these; false when there were none. */
  disposeUnused(modelDirsInUse: ReadonlySet<string>): Promise<boolean>;
  /** What that would free at least, beside KV. */
  unusedBytes(modelDirsInUse: ReadonlySet<string>): number;
}

/** What tells sessions apart, and what a new one needs. */
export type SessionKey = Omit<SessionOptions, "memory">;

export class SessionStore {
  readonly #sessions = new Map<string, Session>();
  readonly #engines: Engines;
  readonly #hostKvBytes: number;
  readonly #log: (text: string) => void;
  /** Who waits for a session to come out of use. */
  readonly #waiting: (() => void)[] = [];

  /**
   * @param hostKvBytes how much KV may lie in the machine's memory for want of room on the device
   * @param log told where KV goes
   */
  constructor(engines: Engines, hostKvBytes: number, log: (text: string) => void) {
    this.#engines = engines;
    this.#hostKvBytes = hostKvBytes;
    this.#log = log;
  }

  /** The session of this repository, model, context size and kind of prefill; made when there is none. */
  get(options: SessionKey): Session {
    const key = keyOf(options);
    const known = this.#sessions.get(key);
    if (known) return known;
    const session: Session = new Session({
      ...options,
      memory: {
        freeableBytes: () => this.#freeableBytes(session),
        freeSomething: () => this.freeOne(session),
        comingBytes: () => this.#comingBytes(session),
        nextIdle: (signal) => this.#nextIdle(signal),
        onIdle: () => {
          for (const wake of this.#waiting.splice(0)) wake();
        },
      },
    });
    this.#sessions.set(key, session);
    this.#dropOldest();
    return session;
  }

  peek(options: SessionKey): Session | undefined {
    return this.#sessions.get(keyOf(options));
  }

  all(): Session[] {
    return [...this.#sessions.values()];
  }

  /**
   * Takes the KV that has been unused longest off its device, then ends the engines of other models; false when all is in use. KV goes to
   * the machine's memory where there is room for it, at the cost of what has been there longest.
   */
  async freeOne(except: Session): Promise<boolean> {
    const [oldest] = this.#idle(except).sort((first, second) => first.lastUsedAt - second.lastUsedAt);
    if (!oldest) return this.#engines.disposeUnused(this.#modelsInUse(except));
    await this.#putAside(oldest);
    return true;
  }

  async #putAside(session: Session): Promise<void> {
    const { heldBytes } = session;
    while (session.canBeStowed) {
      const obstacle = await session.stow(this.#hostKvBytes);
      if (obstacle === null) {
        this.#log(`moved ${mebibytes(heldBytes)} of KV to the machine's memory`);
        return;
      }
      if (session.isInUse) return; // somebody has come for it
      const [longest] = this.all()
        .filter((other) => other.stowedBytes > 0 && !other.isInUse && heldBytes <= this.#hostKvBytes)
        .sort((first, second) => first.lastUsedAt - second.lastUsedAt);
      this.#log(`dropped ${mebibytes((longest ?? session).sizeBytes)} of KV: ${obstacle}`);
      await (longest ?? session).release();
    }
    await session.release();
  }

  /** What freeOne, again and again, would free at least. */
  #freeableBytes(except: Session): number {
    const held = this.#idle(except).reduce((sum, session) => sum + session.heldBytes, 0);
    return held + this.#engines.unusedBytes(this.#modelsInUse(except));
  }

  /** Held by sessions that are in use, and do not themselves wait for memory. */
  #comingBytes(except: Session): number {
    return this.all()
      .filter((session) => session !== except && session.isInUse && !session.waitsForRoom)
      .reduce((sum, session) => sum + session.heldBytes, 0);
  }

  #nextIdle(signal: AbortSignal): Promise<void> {
    return abortable(new Promise((resolve) => this.#waiting.push(resolve)), signal);
  }

  #idle(except: Session): Session[] {
    return this.all().filter((session) => session !== except && session.heldBytes > 0 && !session.isInUse);
  }

  #modelsInUse(except: Session): Set<string> {
    const inUse = this.all().filter((session) => session === except || session.isInUse);
    return new Set(inUse.map((session) => session.modelDir));
  }

  /** Frees the KV of every session that nobody uses now; resolves with the bytes. */
  async freeAll(): Promise<number> {
    let freedBytes = 0;
    for (const session of this.all()) {
      if (session.isInUse) continue;
      freedBytes += session.sizeBytes;
      await session.release();
    }
    return freedBytes;
  }

  #dropOldest(): void {
    if (this.#sessions.size <= maxSessions) return;
    const [oldest] = [...this.#sessions]
      .filter(([, session]) => !session.isInUse)
      .sort(([, first], [, second]) => first.lastUsedAt - second.lastUsedAt);
    if (!oldest) return;
    this.#sessions.delete(oldest[0]);
    void oldest[1].release();
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
}

function keyOf({ root, model, contextTokens, prefill }: SessionKey): string {
  return JSON.stringify([root, model.modelDir, contextTokens, prefill.identity]);
}
