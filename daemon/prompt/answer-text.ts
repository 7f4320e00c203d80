import type { Citation, CheckedCitation } from "./citation-checker.ts";
import { toPlainText } from "./plain-text.ts";

/** Collects an answer in order, though some of its parts have to wait for a file to be read. */
export class AnswerText {
  readonly #onText: (text: string) => void;
  readonly #citations: Citation[] = [];
  #text = "";
  #last: Promise<void> = Promise.resolve();

  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  /** Shows a part after all earlier ones. A part that fails rejects `finish`, and nothing after it is shown. */
  add(part: string | (() => Promise<string>)): void {
    this.#last = this.#last.then(async () => {
      const text = toPlainText(typeof part === "string" ? part : await part());
      if (text === "") return;
      this.#text += text;
      this.#onText(text);
    });
    // The rejection is for `finish`; without a handler here it would be reported as unhandled in the meantime.
    this.#last.catch(() => undefined);
  }

  cite({ path, line, verified, stale, quote }: CheckedCitation): void {
    const known = this.#citations.some((other) => other.path === path && other.line === line);
    if (!known) this.#citations.push({ path, line, verified, stale, quote });
  }

  async finish(): Promise<{ text: string; citations: readonly Citation[] }> {
    await this.#last;
    return { text: this.#text, citations: this.#citations };
  }
}
