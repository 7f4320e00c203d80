/** What the daemon is doing. */
import type { DeviceName } from "./device.ts";
import type { MessageDeclaration } from "./message.ts";
import type { KvType } from "./prefill.ts";

/** client -> daemon: one look at the daemon; never waits for the engine. */
export const statusRequest = {
  method: "longsight/status",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export type EngineState =
  | { readonly state: "stopped"; readonly lastDeath: string | null }
  | { readonly state: "starting"; readonly model: string }
  | {
      readonly state: "ready";
      readonly model: string;
      readonly architecture: string;
      readonly device: string;
      /** Empty and 0 for the CPU. */
      readonly deviceName: string;
      readonly deviceBytes: number;
      readonly instructionSet: string;
      readonly threads: number;
      readonly maxContextTokens: number;
      readonly peakMemoryBytes: number;
      /** On the device; and what was moved from there to the machine's own memory. */
      readonly kvBytes: number;
      readonly hostKvBytes: number;
      /** Why the last engine that died did, since this daemon started. */
      readonly lastDeath: string | null;
    };

export interface SessionStatus {
  readonly repository: string;
  readonly model: string;
  readonly contextTokens: number;
  /** Files of the last context. */
  readonly files: number;
  /** Tokens whose KV is held. */
  readonly heldTokens: number;
  readonly heldBytes: number;
  /** What it is kept in, and the tokens that went through the model at once; null while none is held. */
  readonly kv: KvType | null;
  readonly chunkTokens: number | null;
  /** It was moved to the machine's own memory, and comes back to the device with the next question. */
  readonly stowed: boolean;
  /** Files that changed since, when last looked at; `longsight/changes` looks. */
  readonly changedFiles: number;
  readonly lastUsedMsAgo: number;
}

export interface StatusResult {
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly socket: string;
  readonly logFile: string;
  /** What this daemon was started to compute on: auto, cpu, cuda or cuda:N. */
  readonly device: DeviceName;
  readonly connections: number;
  readonly runningRequests: number;
  /** Those that wait for the engine. */
  readonly queuedRequests: number;
  readonly engine: EngineState;
  readonly sessions: readonly SessionStatus[];
}

/** daemon -> client: the daemon's health changed, such as when the engine died. rust-analyzer's extension of LSP. */
export const serverStatusNotification = {
  method: "experimental/serverStatus",
  direction: "daemon-to-client",
  kind: "notification",
} as const satisfies MessageDeclaration;

export interface ServerStatusParams {
  readonly health: "ok" | "warning" | "error";
  readonly quiescent: boolean;
  readonly message?: string;
}
