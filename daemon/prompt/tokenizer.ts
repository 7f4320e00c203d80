/** A model's tokenizer: file text and questions never become special tokens, template pieces may. */
export interface PromptTokenizer {
  /** SHA-256 of what the ids depend on, in hex. */
  readonly identity: string;
  readonly vocabularySize: number;
  /** The ids of each text, special tokens not recognised. */
  encodeContents(texts: readonly string[]): Promise<Uint32Array[]>;
  /** The ids of a template piece, special tokens recognised. */
  encodeTemplate(text: string): Promise<number[]>;
  /** The text of some ids, special tokens included as they are written. */
  decode(ids: readonly number[]): string;
  /** Undefined when the tokenizer has no such token. */
  specialId(token: string): number | undefined;
  isSpecial(id: number): boolean;
}
