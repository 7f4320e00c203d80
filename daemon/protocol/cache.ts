/** The KV that the daemon holds, and how to free it. */
import type { MessageDeclaration } from "./message.ts";
import type { SessionStatus } from "./status.ts";

/** client -> daemon: what is held; with `release`, everything that no request is using is freed first. */
export const cacheRequest = {
  method: "longsight/cache",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export interface CacheParams {
  readonly release?: boolean;
}

export interface CacheResult {
  readonly sessions: readonly SessionStatus[];
  readonly heldBytes: number;
  readonly releasedBytes: number;
}
