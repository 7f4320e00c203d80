/** The sessions that the daemon holds, and which of them gives its memory first. */
import { Session, type SessionOptions } from "./session.ts";

/** Sessions without KV still hold their tokens and file lists; beyond this many the one longest unused is dropped. */
const maxSessions = 16;

export class SessionStore {
  readonly #sessions = new Map<string, Session>();

  /** The session of this repository, model and context size; made when there is none. */
  get(options: Omit<SessionOptions, "freeSomething">): Session {
    const key = JSON.stringify([options.root, options.model.modelDir, options.contextTokens]);
    const known = this.#sessions.get(key);
    if (known) return known;
    const session: Session = new Session({ ...options, freeSomething: () => this.freeOne(session) });
    this.#sessions.set(key, session);
    this.#dropOldest();
    return session;
  }

  all(): Session[] {
    return [...this.#sessions.values()];
  }

  /** Frees the KV that has been unused longest; false when there is none that nobody needs now. */
  async freeOne(except?: Session): Promise<boolean> {
    const [oldest] = this.all()
      .filter((session) => session !== except && session.heldBytes > 0 && !session.isInUse)
      .sort((first, second) => first.lastUsedAt - second.lastUsedAt);
    if (!oldest) return false;
    await oldest.release();
    return true;
  }

  /** Frees the KV of every session that nobody uses now; resolves with the bytes. */
  async freeAll(): Promise<number> {
    let freedBytes = 0;
    for (const session of this.all()) {
      if (session.isInUse) continue;
      freedBytes += session.heldBytes;
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
