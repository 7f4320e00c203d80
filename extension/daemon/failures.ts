import type { ErrorCode } from "../../daemon/protocol/errors.ts";

/** What went wrong, as a person is told it: one sentence, and what to try next. */
export interface UserFailure {
  readonly message: string;
  /** Empty when there is nothing to try. */
  readonly next: string;
  /** Of the daemon's catalogue where it is from there, else "editor". */
  readonly code: string;
}

/** JSON-RPC's number for a cancelled request. */
const cancelledNumber = -32800;

/** Thrown by the extension itself. */
export class EditorFailure extends Error {
  readonly next: string;

  constructor(message: string, next: string) {
    super(message);
    this.next = next;
  }
}

export function isCancellation(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  return thrown.name === "Canceled" || ("code" in thrown && thrown.code === cancelledNumber);
}

export function toUserFailure(thrown: unknown): UserFailure {
  if (thrown instanceof EditorFailure) return { message: thrown.message, next: thrown.next, code: "editor" };
  if (!(thrown instanceof Error)) return { message: String(thrown), next: "See the log.", code: "editor" };
  const data = "data" in thrown ? thrown.data : undefined;
  if (typeof data === "object" && data !== null && "code" in data && "next" in data) {
    const code = String(data.code);
    return { message: thrown.message, next: editorAdvice[code] ?? String(data.next), code };
  }
  // What vscode-jsonrpc and the language client say of a connection that is gone.
  if (
    /connection got disposed|connection is (closed|disposed)|Connection to server|not running|write EPIPE/i.test(
      thrown.message,
    )
  ) {
    return {
      message: "The daemon ended before it had answered.",
      next: "Ask again: it starts anew.",
      code: "daemon-lost",
    };
  }
  return { message: thrown.message, next: "See the log.", code: "editor" };
}

/** The catalogue speaks to a terminal; where it names what is typed there, the same advice in the editor's terms. */
const editorAdvice: Readonly<Partial<Record<string, string>>> = {
  "empty-repository": "Open a folder with source files, or tick what was left out in Context.",
  "over-budget": "Raise the setting longsight.contextTokens, or leave folders out in Context.",
  "question-too-long": "Shorten the question, or raise the setting longsight.contextTokens.",
  "model-file-missing": "Give the setting longsight.model a complete Hugging Face model folder.",
  "model-unsupported": "Use a model of the Llama, Qwen2, Qwen3, SmolLM3 or GLM-4 family.",
  "not-enough-memory": "Lower the setting longsight.contextTokens, or use a smaller model.",
  "device-unavailable": "Install what the message names, or run Longsight: Restart Daemon.",
  "version-mismatch": "Run Longsight: Restart Daemon, then try again.",
  "daemon-unreachable": "The log says why it did not start.",
  "already-running": "Run Longsight: Restart Daemon.",
  "invalid-argument": "Check the settings of Longsight.",
} satisfies Partial<Record<ErrorCode, string>>;
