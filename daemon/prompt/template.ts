/** The constant pieces of a chat template, as token ids: before + repository + between + question + after. */
export interface TemplatePieces {
  readonly before: readonly number[];
  readonly between: readonly number[];
  readonly after: readonly number[];
}

/** An earlier question and its answer, as text. */
export interface Turn {
  readonly question: string;
  readonly answer: string;
}
