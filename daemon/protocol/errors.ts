/**
 * The error catalogue. Every failure that a user can meet has one entry: a stable code, the JSON-RPC number that
 * carries it, and what to try next. The text is made where the failure is seen; `cause` goes to the log only.
 */
export const errorCatalogue = {
  "no-such-folder": { rpc: -33001, exit: 66, next: "Check the path, or run the command inside a repository." },
  "empty-repository": {
    rpc: -33002,
    exit: 66,
    next: "There is no text to read here. `--json` and `longsight status` list what was left out and why.",
  },
  "over-budget": { rpc: -33003, exit: 65, next: "Raise --context, or leave folders out with a .longsightignore file." },
  "question-too-long": { rpc: -33004, exit: 65, next: "Shorten the question, or raise --context." },
  "model-file-missing": { rpc: -33010, exit: 66, next: "Give --model a complete Hugging Face model folder." },
  "model-file-invalid": {
    rpc: -33011,
    exit: 65,
    next: "Download the model again; the file is damaged or not what it says.",
  },
  "model-unsupported": {
    rpc: -33012,
    exit: 69,
    next: "Use a model of a supported family; `longsight model list` names them.",
  },
  "not-enough-memory": { rpc: -33013, exit: 71, next: "Lower --context, or use a smaller model." },
  "device-unavailable": { rpc: -33014, exit: 69, next: "Use --device cpu, or install what the message names." },
  "engine-died": { rpc: -33020, exit: 70, next: "Ask again: the engine has been restarted." },
  "engine-stopped": { rpc: -33021, exit: 70, next: "Ask again: the daemon was stopping." },
  "queue-full": { rpc: -33030, exit: 75, next: "Wait for a running request to end, or stop it." },
  "version-mismatch": { rpc: -33040, exit: 69, next: "Run `longsight stop`, then try again." },
  "daemon-unreachable": {
    rpc: -33041,
    exit: 69,
    next: "Run `longsight status`; the daemon's log says why it did not start.",
  },
  "socket-not-ours": {
    rpc: -33042,
    exit: 77,
    next: "Remove the folder named in the message, or set LONGSIGHT_RUNTIME_DIR.",
  },
  "already-running": { rpc: -33043, exit: 75, next: "Use the daemon that is running, or `longsight stop` first." },
  "invalid-argument": { rpc: -32602, exit: 64, next: "See `longsight --help`." },
  cancelled: { rpc: -32800, exit: 130, next: "" },
  internal: { rpc: -32603, exit: 70, next: "This is a bug: please report it with the daemon's log." },
} as const satisfies Record<string, { rpc: number; exit: number; next: string }>;

export type ErrorCode = keyof typeof errorCatalogue;
