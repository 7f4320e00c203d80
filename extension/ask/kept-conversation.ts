/** The conversation as the workspace keeps it, so that a reload of the window does not lose it. */
import type * as vscode from "vscode";
import { productVersion } from "../../daemon/protocol/version.ts";
import type { Turn } from "./turn.ts";

const key = "longsight.conversation";
/** The newest are kept. */
const maxTurns = 50;

export interface Conversation {
  /** What the daemon knows it by. */
  readonly id: string;
  readonly turns: readonly Turn[];
  /** By turn: the folder that its paths are relative to, as a URI. */
  readonly roots: Readonly<Record<number, string>>;
}

/** Null when there is none, or when another version wrote it. */
export function keptConversation(memory: vscode.Memento): Conversation | null {
  const kept = memory.get<Conversation & { readonly version: string }>(key);
  if (kept?.version !== productVersion) return null;
  return { ...kept, turns: kept.turns.map(ended) };
}

export async function keepConversation(memory: vscode.Memento, conversation: Conversation): Promise<void> {
  const turns = conversation.turns.slice(-maxTurns);
  await memory.update(key, turns.length === 0 ? undefined : { version: productVersion, ...conversation, turns });
}

/** The window that asked is gone, and with it the rest of the answer. */
function ended(turn: Turn): Turn {
  return turn.state.kind === "running" ? { ...turn, state: { kind: "stopped", text: turn.state.text } } : turn;
}
