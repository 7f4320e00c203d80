/** The Context view: every file with its tokens, what was left out with the reason, checkboxes, and the budget above. */
import * as vscode from "vscode";
import type { ContextBudget, ContextChanges } from "../../daemon/protocol/context.ts";
import type { Daemon } from "../daemon/daemon.ts";
import { count, percent, plural, progressText, shortCount } from "../figures.ts";
import { repositoryFolder, uriOf } from "../repository.ts";
import type { Work } from "../work.ts";
import type { ContextModel } from "./context-model.ts";
import { canInclude, shapeTree, type ContextNode, type FolderNode } from "./tree-shape.ts";

export class ContextTree implements vscode.TreeDataProvider<ContextNode>, vscode.Disposable {
  readonly #model: ContextModel;
  readonly #work: Work;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #view: vscode.TreeView<ContextNode>;
  readonly #subscriptions: vscode.Disposable[];
  #root: FolderNode | null = null;
  /** What `#root` was made of. */
  #shaped = "";
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(model: ContextModel, work: Work, daemon: Daemon) {
    this.#model = model;
    this.#work = work;
    this.#view = vscode.window.createTreeView("longsight.context", {
      treeDataProvider: this,
      showCollapseAll: true,
      manageCheckboxStateManually: true,
    });
    const look = (): void => {
      if (this.#view.visible && model.result === null && vscode.workspace.isTrusted) void model.refresh();
    };
    this.#subscriptions = [
      this.#view,
      this.#view.onDidChangeVisibility(look),
      this.#view.onDidChangeCheckboxState(({ items }) => this.#choose(items)),
      model.onDidChange(() => {
        this.#shape();
      }),
      work.onDidChange(() => {
        this.#describe();
      }),
      daemon.onDidChange(({ kind }) => {
        if (kind === "off" || kind === "running") look();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(look),
      vscode.workspace.onDidChangeWorkspaceFolders(() => void model.refresh()),
    ];
    look();
  }

  getChildren(node?: ContextNode): ContextNode[] {
    const parent = node ?? this.#root;
    return parent?.kind === "folder" ? [...parent.children] : [];
  }

  getTreeItem(node: ContextNode): vscode.TreeItem {
    const root = this.#model.root;
    const { Collapsed, None } = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(node.name, node.kind === "folder" ? Collapsed : None);
    item.id = `${node.kind}:${node.path}`;
    if (root) item.resourceUri = uriOf(root, node.path);
    switch (node.kind) {
      case "folder": {
        const out = node.leftOut > 0 ? `, ${count(node.leftOut)} out` : "";
        item.description = `${shortCount(node.tokens)} tokens, ${plural(node.files, "file")}${out}`;
        item.iconPath = vscode.ThemeIcon.Folder;
        item.checkboxState = checkbox(node.files > 0, `${node.path} in the context`);
        break;
      }
      case "file": {
        item.description = `${shortCount(node.file.tokens)} tokens${node.file.unsaved ? ", unsaved" : ""}`;
        item.iconPath = vscode.ThemeIcon.File;
        item.tooltip = `${node.path}\n${count(node.file.tokens)} tokens, ${plural(node.file.lines, "line")}`;
        item.checkboxState = checkbox(true, `${node.path} in the context`);
        if (root) item.command = { command: "vscode.open", title: "Open", arguments: [uriOf(root, node.path)] };
        break;
      }
      case "out": {
        const { reason, detail, tokens, fileCount } = node.leftOut;
        const size = tokens === undefined ? "" : `, about ${shortCount(tokens)} tokens`;
        item.description = `out: ${reason}${fileCount > 1 ? `, ${plural(fileCount, "file")}` : ""}`;
        item.iconPath = new vscode.ThemeIcon("circle-slash", new vscode.ThemeColor("disabledForeground"));
        item.tooltip = `${node.path}\nLeft out: ${detail}${size}`;
        if (canInclude(node.leftOut)) item.checkboxState = checkbox(false, `${node.path} in the context`);
        break;
      }
    }
    return item;
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
  }

  async #choose(items: readonly (readonly [ContextNode, vscode.TreeItemCheckboxState])[]): Promise<void> {
    const folder = repositoryFolder();
    if (!folder) return;
    const choices = items.map(([{ path }, state]) => ({
      path,
      wanted: state === vscode.TreeItemCheckboxState.Checked,
    }));
    await this.#model.choices.set(folder, choices);
  }

  #shape(): void {
    const { result } = this.#model;
    this.#describe();
    const shaped = result ? JSON.stringify([result.files, result.leftOut]) : "";
    // A tree that is drawn anew loses the click that is under way.
    if (shaped === this.#shaped) return;
    this.#shaped = shaped;
    this.#root = result ? shapeTree(result.files, result.leftOut) : null;
    this.#changed.fire();
  }

  #describe(): void {
    const { result, failure } = this.#model;
    const reading = this.#work.running.find(({ kind }) => kind === "read");
    const lines: string[] = [];
    if (result) lines.push(budgetText(result.budget));
    if (reading?.progress) lines.push(progressText(reading.progress));
    else if (result) lines.push(stateText(result.budget, result.changes));
    if (failure) lines.push(`${failure.message} ${failure.next}`);
    this.#view.message = lines.join(" · ");
    const changed = result?.changes.held === true ? result.changes.count : 0;
    this.#view.badge = changed > 0 ? { value: changed, tooltip: `${plural(changed, "file")} changed` } : undefined;
  }
}

function checkbox(checked: boolean, label: string): NonNullable<vscode.TreeItem["checkboxState"]> {
  const { Checked, Unchecked } = vscode.TreeItemCheckboxState;
  return {
    state: checked ? Checked : Unchecked,
    tooltip: checked ? "Leave out" : "Take in",
    accessibilityInformation: { label, role: "checkbox" },
  };
}

/** "30.6K of 63.5K tokens, 48 %": one line of a narrow side bar. */
function budgetText({ usedTokens, repositoryTokens }: ContextBudget): string {
  const share = repositoryTokens > 0 ? usedTokens / repositoryTokens : 0;
  return `${shortCount(usedTokens)} of ${shortCount(repositoryTokens)} tokens, ${percent(share, 0)}`;
}

function stateText({ usedTokens, heldTokens }: ContextBudget, changes: ContextChanges): string {
  if (!changes.held || heldTokens === 0) return "not read";
  if (changes.count > 0) return `${plural(changes.count, "file")} changed`;
  return heldTokens >= usedTokens ? "read" : `${shortCount(heldTokens)} read`;
}
