/** What the context map's page and the extension say to each other. Files cross as indices into the last `files`. */
export interface MapFile {
  readonly path: string;
  readonly tokens: number;
  /** Share of the last answer's attention that lay on it; null when no answer told. */
  readonly evidence: number | null;
}

/** Where the attention of the last answer lay, most first. */
export interface MapBlock {
  readonly path: string;
  readonly line: number;
  readonly endLine: number;
  readonly share: number;
}

export interface MapData {
  readonly kind: "map";
  readonly files: readonly MapFile[];
  readonly blocks: readonly MapBlock[];
  /** The question whose evidence is shown; null without one. */
  readonly question: string | null;
  readonly usedTokens: number;
  readonly repositoryTokens: number;
}

export type FromMap =
  | { readonly kind: "ready" }
  | { readonly kind: "open-file"; readonly index: number }
  | { readonly kind: "open-block"; readonly index: number };

/** Null for anything that is not exactly one of the messages. */
export function readMapMessage(value: unknown): FromMap | null {
  if (typeof value !== "object" || value === null || !("kind" in value)) return null;
  if (value.kind === "ready") return { kind: "ready" };
  if (!("index" in value) || typeof value.index !== "number" || !Number.isInteger(value.index)) return null;
  const { kind, index } = value;
  return (kind === "open-file" || kind === "open-block") && index >= 0 ? { kind, index } : null;
}
