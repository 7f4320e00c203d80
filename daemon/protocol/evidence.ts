/** Where the attention of an answer lay: independent of what the answer says and cites. */

/**
 * Softmax weights of the answer's tokens over the repository, in the layers that see all of it, averaged over tokens and over
 * heads; a head that looks at few places weighs more than one that looks everywhere. Shares add up to 1 over all files of the context.
 */
export interface Evidence {
  /** Blocks of lines, the largest share first; at most `maxEvidenceBlocks`. */
  readonly blocks: readonly EvidenceBlock[];
  /** Files with a share worth naming, the largest first; at most `maxEvidenceFiles`. */
  readonly files: readonly EvidenceFile[];
  /** Of all attention of those tokens, what went to files; the rest went to the template, the question and the answer. */
  readonly repositoryShare: number;
}

export interface EvidenceBlock {
  /** Relative to the repository's root, with `/`. */
  readonly path: string;
  /** From 1, both included. */
  readonly line: number;
  readonly endLine: number;
  readonly share: number;
}

export interface EvidenceFile {
  readonly path: string;
  readonly share: number;
}
