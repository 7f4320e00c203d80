/** The conversation of this window: its turns, the question that runs, and what is exported. */
import * as vscode from "vscode";
import { askRequest, type AskParams, type AskRecord } from "../../daemon/protocol/ask.ts";
import type { ProgressRecord } from "../../daemon/protocol/progress.ts";
import type { ContextModel } from "../context/context-model.ts";
import type { Listeners } from "../daemon/connection.ts";
import { isCancellation, toUserFailure } from "../daemon/failures.ts";
import { requireFolder, targetOf } from "../repository.ts";
import { readSettings } from "../settings.ts";
import type { Work } from "../work.ts";
import { unreadFiles } from "./answer-line.ts";
import { followUps } from "./follow-ups.ts";
import { keepConversation, keptConversation } from "./kept-conversation.ts";
import { slim, type Turn, type TurnState } from "./turn.ts";

export interface Answered {
  readonly question: string;
  readonly record: AskRecord;
  /** What the record's paths are relative to. */
  readonly root: vscode.Uri;
}

export class AskSession implements vscode.Disposable {
  readonly #work: Work;
  readonly #context: ContextModel;
  readonly #memory: vscode.Memento;
  readonly #changed = new vscode.EventEmitter<Turn | null>();
  readonly #answered = new vscode.EventEmitter<Answered>();
  readonly #roots = new Map<number, vscode.Uri>();
  #turns: readonly Turn[] = [];
  #conversation: string = crypto.randomUUID();
  #nextId = 1;

  /** The turn that changed, or null when all did. */
  readonly onDidChange = this.#changed.event;
  readonly onDidAnswer = this.#answered.event;

  constructor(work: Work, context: ContextModel, memory: vscode.Memento) {
    this.#work = work;
    this.#context = context;
    this.#memory = memory;
    const kept = keptConversation(memory);
    if (kept === null) return;
    this.#conversation = kept.id;
    this.#turns = kept.turns;
    this.#nextId = Math.max(0, ...kept.turns.map(({ id }) => id)) + 1;
    for (const [id, root] of Object.entries(kept.roots)) this.#roots.set(Number(id), vscode.Uri.parse(root));
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  /** A question of the Ask view. Never rejects: what goes wrong stands in its turn. */
  async ask(question: string): Promise<void> {
    const id = this.#nextId++;
    let text = "";
    this.#put({ id, question, state: { kind: "running", text, progress: null } });
    void this.#keep();
    let state: TurnState;
    try {
      const answered = await this.answer(question, {
        conversation: this.#conversation,
        onText: (piece) => {
          text += piece;
          this.#put({ id, question, state: { kind: "running", text, progress: null } });
        },
        onProgress: (progress) => this.#put({ id, question, state: { kind: "running", text, progress } }),
      });
      this.#roots.set(id, answered.root);
      const { record } = answered;
      const suggested = followUps(question, record);
      state = { kind: "answered", record: slim(record), unreadFiles: unreadFiles(record), followUps: suggested };
    } catch (thrown) {
      state = isCancellation(thrown)
        ? { kind: "stopped", text }
        : { kind: "failed", text, failure: toUserFailure(thrown) };
    }
    this.#put({ id, question, state });
    await this.#keep();
  }

  /** A question from anywhere (chat, tools): answered, shown in the maps, not part of the conversation. */
  async answer(
    question: string,
    options: {
      readonly conversation?: string;
      readonly onText?: (piece: string) => void;
      readonly onProgress?: (progress: ProgressRecord) => void;
      readonly token?: vscode.CancellationToken;
    } = {},
  ): Promise<Answered> {
    const folder = requireFolder();
    const { conversation, onText, onProgress, token } = options;
    const { evidence, answerTokens } = readSettings(folder.uri);
    const params: AskParams = {
      ...targetOf(folder, this.#context.choices),
      question,
      evidence,
      ...(answerTokens === null ? {} : { maxTokens: answerTokens }),
      ...(conversation === undefined ? {} : { conversation }),
    };
    const listeners: Listeners = {
      onPiece: (piece) => {
        if ("text" in piece) onText?.(piece.text);
      },
      ...(onProgress ? { onProgress } : {}),
    };
    try {
      const record = await this.#work.run<AskRecord>("ask", askRequest.method, params, listeners, token);
      const answered: Answered = { question, record, root: folder.uri };
      this.#answered.fire(answered);
      void this.#context.refresh();
      return answered;
    } catch (thrown) {
      // Something was read for a stopped question, too. After a failure nothing is looked at: that could start a lost daemon.
      if (isCancellation(thrown)) void this.#context.refresh();
      throw thrown;
    }
  }

  /** Where a turn's paths begin. */
  rootOf(turn: Turn): vscode.Uri | null {
    return this.#roots.get(turn.id) ?? null;
  }

  stop(): void {
    this.#work.stop("ask");
  }

  clear(): void {
    this.stop();
    this.#nextId++; // what still runs is not put back
    this.#turns = [];
    this.#roots.clear();
    this.#conversation = crypto.randomUUID();
    this.#changed.fire(null);
    void this.#keep();
  }

  dispose(): void {
    this.#changed.dispose();
    this.#answered.dispose();
  }

  async #keep(): Promise<void> {
    const roots = Object.fromEntries([...this.#roots].map(([id, root]) => [id, root.toString()]));
    await keepConversation(this.#memory, { id: this.#conversation, turns: this.#turns, roots });
  }

  #put(turn: Turn): void {
    const known = this.#turns.some(({ id }) => id === turn.id);
    // A turn of a conversation that was cleared in the meantime stays away.
    if (!known && turn.id !== this.#nextId - 1) return;
    this.#turns = known ? this.#turns.map((other) => (other.id === turn.id ? turn : other)) : [...this.#turns, turn];
    this.#changed.fire(turn);
  }
}
