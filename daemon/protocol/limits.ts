/** The protocol's limits. Past one of them a request gets an error that names the limit; nothing is cut silently. */
export const limits = {
  /** Bytes of one frame's header block. LSP needs two short lines. */
  maxHeaderBytes: 1024,
  /** Bytes of one frame's JSON body, from a client. Questions and paths are small; tensors never cross. */
  maxFrameBytes: 4 * 1024 * 1024,
  /** Depth of nested arrays and objects in a body. */
  maxNestingDepth: 64,
  /** Milliseconds in which a frame that has begun must be complete. */
  maxFrameMs: 30_000,
  /** Requests of one connection that have not been answered yet. */
  maxRequestsInFlight: 64,
  /** Requests of all connections that wait for the engine. */
  maxQueuedRequests: 32,
  /** Connections open at the same time. */
  maxConnections: 64,
  /** Bytes waiting for a slow reader, above which nothing more is read from it. */
  maxUnsentBytes: 1024 * 1024,
  /** UTF-16 units of a question. */
  maxQuestionLength: 1_000_000,
  /** Tokens of one answer. */
  maxAnswerTokens: 8192,
  /** Entries of `leftOut` in one message; `leftOutCount` has the full number. */
  maxLeftOutListed: 10_000,
  /** Entries of `exclude` and of `include`. */
  maxFileChoices: 10_000,
  /** Entries of `changes.files`; `count` has the full number. */
  maxChangesListed: 1000,
  /** Entries of `evidence.blocks`. */
  maxEvidenceBlocks: 50,
  /** Entries of `evidence.files`. */
  maxEvidenceFiles: 200,
  /** Documents that one connection holds open; for one more, the file on disk is read. */
  maxOpenDocuments: 1000,
  /** UTF-16 units of an open document; a longer one is read from disk. */
  maxDocumentLength: 1024 * 1024,
  /** Conversations that the daemon remembers; the one longest unused is forgotten first. */
  maxConversations: 256,
  /** Milliseconds between two progress records of one request, at least. */
  minProgressIntervalMs: 100,
} as const;
