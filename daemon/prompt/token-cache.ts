import { createHash } from "node:crypto";
import { entryBytes, readCacheFile, writeCacheFile } from "./token-cache-file.ts";

/** A file's text as token ids, without any anchor, so that it holds wherever the file stands in a prompt. */
export interface FileTokens {
  readonly lineCount: number;
  /** Ids of each block of lines. */
  readonly blockLengths: Uint32Array;
  /** The blocks' ids, one block after the other. */
  readonly ids: Uint32Array;
}

export interface TokenCacheOptions {
  /** A private folder (made 0700) for entries that outlive the process; null: memory only. */
  readonly directory: string | null;
  /** Bound of the entries in memory and of the file. Default 64 MiB: some 16 million tokens. */
  readonly maxBytes?: number;
}

/** Above this share of new bytes the file is written again; a few edited files are not worth that. */
const rewriteShare = 0.05;

/**
 * Token ids of file texts by content hash, so that a file is tokenised once. What is lost is computed again; what is there is
 * right, because the key names the content, the tokenizer and the cut into blocks.
 */
export class TokenCache {
  readonly #directory: string | null;
  readonly #maxBytes: number;
  /** Least recently used first. */
  readonly #entries: Map<string, FileTokens>;
  #sizeBytes = 0;
  #unsavedBytes = 0;

  private constructor(options: TokenCacheOptions, maxBytes: number, entries: Map<string, FileTokens>) {
    this.#directory = options.directory;
    this.#maxBytes = maxBytes;
    this.#entries = entries;
    for (const entry of entries.values()) this.#sizeBytes += entryBytes(entry);
  }

  static async open(options: TokenCacheOptions): Promise<TokenCache> {
    const maxBytes = options.maxBytes ?? 64 << 20;
    const entries =
      options.directory === null ? new Map<string, FileTokens>() : await readCacheFile(options.directory, maxBytes);
    return new TokenCache(options, maxBytes, entries);
  }

  /** @param contentHash as in ScannedFile */
  static key(tokenizerIdentity: string, blockLines: number, contentHash: string): string {
    return createHash("sha256").update(`${tokenizerIdentity}\n${blockLines}\n${contentHash}`).digest("hex");
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(key: string): FileTokens | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  set(key: string, entry: FileTokens): void {
    const known = this.#entries.get(key);
    if (known !== undefined) this.#sizeBytes -= entryBytes(known);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#sizeBytes += entryBytes(entry);
    this.#unsavedBytes += entryBytes(entry);
    for (const [oldest, old] of this.#entries) {
      if (this.#sizeBytes <= this.#maxBytes - fileOverheadBytes) break;
      this.#entries.delete(oldest);
      this.#sizeBytes -= entryBytes(old);
    }
  }

  /** Writes the file when enough is new. A full or read-only disk costs the next process some time, and nothing else. */
  async save(): Promise<void> {
    if (this.#directory === null || this.#unsavedBytes === 0) return;
    if (this.#unsavedBytes < this.#sizeBytes * rewriteShare) return;
    this.#unsavedBytes = 0;
    try {
      await writeCacheFile(this.#directory, this.#entries);
    } catch {
      return;
    }
  }
}

/** Header and checksum of the file. */
const fileOverheadBytes = 64;
