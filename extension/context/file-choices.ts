/** What a person took out of the context or wants in, by checkbox; kept in the workspace, per folder. */
import * as vscode from "vscode";
import type { FileChoice } from "../../daemon/protocol/context.ts";
import { choose, isFileChoice, type Choice } from "./choice-lists.ts";

const key = "longsight.fileChoices";

export class FileChoices implements vscode.Disposable {
  readonly #memory: vscode.Memento;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;

  constructor(memory: vscode.Memento) {
    this.#memory = memory;
  }

  of(folder: vscode.WorkspaceFolder): Required<FileChoice> {
    const kept = this.#memory.get<unknown>(keyOf(folder));
    return isFileChoice(kept) ? kept : { exclude: [], include: [] };
  }

  async set(folder: vscode.WorkspaceFolder, choices: readonly Choice[]): Promise<void> {
    const lists = choices.reduce(choose, this.of(folder));
    await this.#memory.update(keyOf(folder), lists);
    this.#changed.fire();
  }

  async reset(folder: vscode.WorkspaceFolder): Promise<void> {
    await this.#memory.update(keyOf(folder), undefined);
    this.#changed.fire();
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

function keyOf(folder: vscode.WorkspaceFolder): string {
  return `${key}:${folder.uri.toString()}`;
}
