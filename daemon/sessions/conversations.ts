/** Earlier questions and answers, for models that take them. */
import type { Turn } from "../prompt/index.ts";
import { limits } from "../protocol/limits.ts";

/** Turns of one conversation that stand before the next question. */
const maxTurns = 16;

export class Conversations {
  /** In the order of last use: a Map keeps the order of insertion. */
  readonly #turns = new Map<string, readonly Turn[]>();

  history(id: string): readonly Turn[] {
    return this.#turns.get(id) ?? [];
  }

  add(id: string, turn: Turn): void {
    const turns = [...this.history(id), turn].slice(-maxTurns);
    this.#turns.delete(id);
    this.#turns.set(id, turns);
    if (this.#turns.size <= limits.maxConversations) return;
    const [oldest] = this.#turns.keys();
    if (oldest !== undefined) this.#turns.delete(oldest);
  }
}
