export interface TokenCacheOptions {
  /** A private folder (made 0700) for entries that outlive the process; null: memory only. */
  readonly directory: string | null;
  readonly maxMemoryBytes?: number;
  readonly maxDiskBytes?: number;
}

/** Token ids of file texts by content hash, so that a file is tokenised once. */
export class TokenCache {
  static async open(options: TokenCacheOptions): Promise<TokenCache> {
    throw new Error(`not yet: ${String(options.directory)}`);
  }
}
