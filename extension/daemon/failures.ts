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
    return { message: thrown.message, next: forEditors(String(data.next)), code: String(data.code) };
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

/** The catalogue speaks to a terminal; the same advice in the editor's terms. */
function forEditors(next: string): string {
  return next
    .replace("--context", "the setting longsight.contextTokens")
    .replace("--model", "the setting longsight.model")
    .replace(/Run `longsight stop`, then try again\./, "Run Longsight: Restart Daemon, then try again.");
}
