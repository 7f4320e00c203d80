import type { PromptTokenizer } from "./tokenizer.ts";

/** A character of UTF-8 has at most four bytes, which may come as so many tokens. */
const maxPendingIds = 4;
/** Ids before the new ones that are decoded along, since some tokenizers treat the first token of a text apart. */
const contextIds = 8;
const replacementCharacter = "\uFFFD";

/** Decodes ids one by one into whole characters. */
export class StreamingText {
  readonly #tokenizer: PromptTokenizer;
  #shown: number[] = [];
  #pending: number[] = [];

  constructor(tokenizer: PromptTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that became complete with this id; empty while a character is half there. */
  push(id: number): string {
    this.#pending.push(id);
    const text = this.#pendingText();
    if (text.endsWith(replacementCharacter) && this.#pending.length < maxPendingIds) return "";
    this.#shown = [...this.#shown, ...this.#pending].slice(-contextIds);
    this.#pending = [];
    return text;
  }

  /** What is left at the end, with U+FFFD in place of an unfinished character. */
  flush(): string {
    const text = this.#pending.length > 0 ? this.#pendingText() : "";
    this.#shown = [];
    this.#pending = [];
    return text;
  }

  #pendingText(): string {
    const before = this.#tokenizer.decode(this.#shown);
    return this.#tokenizer.decode([...this.#shown, ...this.#pending]).slice(before.length);
  }
}
