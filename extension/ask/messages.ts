/** What the Ask view's page and the extension say to each other. Places cross as indices: the page names no file. */
import type { Turn } from "./turn.ts";

/** The bar above the conversation; null while nothing is known. */
export interface ContextLine {
  readonly usedTokens: number;
  readonly repositoryTokens: number;
  readonly files: number;
  readonly leftOut: number;
  /** Files that changed since they were read. */
  readonly changed: number;
  /** Of `usedTokens`, those that were read. */
  readonly heldTokens: number;
  /** To ask about, before anything else is known; null when no file is code. */
  readonly exampleFile: string | null;
  /** What is being read right now, as text, and how far it is (null: not measured). */
  readonly reading: { readonly text: string; readonly share: number | null } | null;
}

export type ToPage =
  | { readonly kind: "conversation"; readonly turns: readonly Turn[]; readonly context: ContextLine | null }
  | { readonly kind: "turn"; readonly turn: Turn }
  | { readonly kind: "context"; readonly context: ContextLine | null }
  | { readonly kind: "draft"; readonly question: string };

export type ToExtension =
  | { readonly kind: "ready" }
  | { readonly kind: "ask"; readonly question: string }
  | { readonly kind: "stop" }
  | { readonly kind: "stop-reading" }
  | { readonly kind: "read" }
  | { readonly kind: "show-context" }
  | { readonly kind: "show-map" }
  | { readonly kind: "show-log" }
  | { readonly kind: "open"; readonly turn: number; readonly citation: number }
  | { readonly kind: "copy"; readonly turn: number };

const plainKinds = ["ready", "stop", "stop-reading", "read", "show-context", "show-map", "show-log"] as const;

/** Null for anything that is not exactly one of the messages. */
export function readMessage(value: unknown): ToExtension | null {
  if (typeof value !== "object" || value === null || !("kind" in value)) return null;
  const { kind } = value;
  const plain = plainKinds.find((name) => name === kind);
  if (plain) return { kind: plain };
  if (kind === "ask" && "question" in value && typeof value.question === "string") {
    return { kind, question: value.question };
  }
  if (!("turn" in value) || !isIndex(value.turn)) return null;
  if (kind === "copy") return { kind, turn: value.turn };
  if (kind === "open" && "citation" in value && isIndex(value.citation)) {
    return { kind, turn: value.turn, citation: value.citation };
  }
  return null;
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}
