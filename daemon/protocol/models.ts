/** The models on this machine. */
import type { MessageDeclaration } from "./message.ts";

/** client -> daemon: the model folders that the daemon knows of, and whether each can be used. */
export const modelsRequest = {
  method: "longsight/models",
  direction: "client-to-daemon",
  kind: "request",
} as const satisfies MessageDeclaration;

export interface ModelEntry {
  readonly path: string;
  readonly name: string;
  readonly architecture: string | null;
  readonly weightsBytes: number;
  readonly maxContextTokens: number | null;
  readonly isDefault: boolean;
  /** Why the folder cannot be used; null when nothing speaks against it. */
  readonly problem: string | null;
}

export interface ModelsResult {
  readonly models: readonly ModelEntry[];
  /** Architectures that the engine can run. */
  readonly supportedArchitectures: readonly string[];
}
