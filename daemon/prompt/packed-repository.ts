import type { LeftOut } from "../repository/index.ts";
import type { Dialect } from "./profile.ts";

/** Where a file stands in the prompt. */
export interface PackedFile {
  /** The number that anchors carry: the file's place in the pack, from 0. */
  readonly id: number;
  readonly path: string;
  /** SHA-256 of the file as it was packed; a file with another hash now is stale. */
  readonly hash: string;
  readonly sizeBytes: number;
  /** Lines that are in the prompt. */
  readonly lineCount: number;
  /** Index into `PackedRepository.tokens` of the file's first token (its header). */
  readonly firstToken: number;
  readonly tokenCount: number;
  /** Where each block of lines ends, as an index into the pack's tokens; the first block begins with the file's header. */
  readonly blockEnds: Uint32Array;
}

/** The part of a prompt that is prefilled once and kept: the template's opening, then every file. */
export interface PackedRepository {
  readonly root: string;
  readonly dialect: Dialect;
  /** Lines of a block. */
  readonly blockLines: number;
  readonly tokens: Uint32Array;
  readonly files: readonly PackedFile[];
  /** What the scan left out, then what the budget left out. */
  readonly leftOut: readonly LeftOut[];
  /** Files that are in only up to some line, because anchors cannot count further. */
  readonly truncated: readonly { readonly path: string; readonly lastLine: number }[];
  readonly budgetTokens: number;
  /** SHA-256 over the tokens and the tokenizer's identity, in hex: two equal packs are the same prompt. */
  readonly identity: string;
}
