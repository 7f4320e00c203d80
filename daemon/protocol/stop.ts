/** The end of the daemon. */
import type { MessageDeclaration } from "./message.ts";

/**
 * client -> daemon: answer, end what runs with `engine-stopped`, exit. The one request that is served before
 * `initialize`, so that any version's CLI can stop any version's daemon.
 */
export const stopRequest = {
  method: "longsight/stop",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export interface StopResult {
  readonly pid: number;
  readonly version: string;
}
