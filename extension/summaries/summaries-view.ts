/** The Summaries view: filled as it is made, stopped and taken up again, exported as Markdown. */
import * as vscode from "vscode";
import {
  summarizeRequest,
  type SummarizeParams,
  type SummarizeResult,
  type SummaryCoverage,
  type SummaryNode,
} from "../../daemon/protocol/summarize.ts";
import type { FileChoices } from "../context/file-choices.ts";
import type { Daemon } from "../daemon/daemon.ts";
import { isCancellation, toUserFailure } from "../daemon/failures.ts";
import { progressText } from "../figures.ts";
import { repositoryFolder, requireFolder, showLine, targetOf, uriOf } from "../repository.ts";
import type { Work } from "../work.ts";
import { coverageText, shapeSummaries, type SummaryItem, type SummaryLeaf } from "./summary-tree.ts";

/** Milliseconds between two drawings while summaries come in. */
const drawEveryMs = 250;

export class SummariesView implements vscode.TreeDataProvider<SummaryItem>, vscode.Disposable {
  readonly #daemon: Daemon;
  readonly #work: Work;
  readonly #choices: FileChoices;
  readonly #view: vscode.TreeView<SummaryItem>;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[];
  readonly #nodes = new Map<string, SummaryNode>();
  #items: readonly SummaryItem[] = [];
  #coverage: SummaryCoverage | null = null;
  #markdown: string | null = null;
  #note = "";
  #timer: NodeJS.Timeout | null = null;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(daemon: Daemon, work: Work, choices: FileChoices) {
    this.#daemon = daemon;
    this.#work = work;
    this.#choices = choices;
    this.#view = vscode.window.createTreeView("longsight.summaries", { treeDataProvider: this, showCollapseAll: true });
    this.#subscriptions = [
      this.#view,
      this.#view.onDidChangeVisibility(({ visible }) => {
        if (visible && this.#nodes.size === 0 && daemon.state.kind === "running") void this.#run({ keptOnly: true });
      }),
      work.onDidChange(() => {
        this.#describe();
      }),
      vscode.commands.registerCommand("longsight.showPlace", (root: vscode.Uri, path: string, line: number) =>
        showLine(root, path, line),
      ),
    ];
  }

  /** Asks about every file that has no summary yet. A stop keeps what was made. Rejects with a failure. */
  async summarize(): Promise<void> {
    await this.#run({});
  }

  stop(): void {
    this.#work.stop("summarize");
  }

  /** The document; null while there is none. */
  get markdown(): string | null {
    return this.#markdown;
  }

  getChildren(item?: SummaryItem): SummaryItem[] {
    if (item === undefined) return [...this.#items];
    return item.kind === "branch" ? [...item.children] : [];
  }

  getTreeItem(item: SummaryItem): vscode.TreeItem {
    const root = repositoryFolder()?.uri;
    if (item.kind === "statement") return statementItem(item, root);
    const { node, name } = item;
    const { Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
    const made = new vscode.TreeItem(name, node.kind === "repository" ? Expanded : Collapsed);
    made.id = `branch:${node.path}`;
    made.description = node.statements[0]?.text ?? "nothing to say";
    if (node.kind !== "file") made.description = `${coverageText(node.coverage)}: ${made.description}`;
    made.tooltip = node.statements.map(({ text }) => text).join("\n");
    const icons = {
      repository: new vscode.ThemeIcon("repo"),
      folder: vscode.ThemeIcon.Folder,
      file: vscode.ThemeIcon.File,
    };
    made.iconPath = icons[node.kind];
    if (root && node.kind !== "repository") made.resourceUri = uriOf(root, node.path);
    return made;
  }

  dispose(): void {
    if (this.#timer) clearTimeout(this.#timer);
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
  }

  async #run(options: Pick<SummarizeParams, "keptOnly">): Promise<void> {
    const params: SummarizeParams = { ...targetOf(requireFolder(), this.#choices), ...options };
    this.#note = "";
    try {
      const result = await this.#work.run<SummarizeResult>("summarize", summarizeRequest.method, params, {
        onPiece: (piece) => {
          if (!("node" in piece)) return;
          this.#nodes.set(piece.node.path, piece.node);
          this.#coverage = piece.coverage;
          this.#drawSoon();
        },
      });
      this.#nodes.clear();
      for (const node of result.nodes) this.#nodes.set(node.path, node);
      this.#coverage = result.coverage;
      this.#markdown = result.nodes.length > 0 ? result.markdown : null;
    } catch (thrown) {
      if (isCancellation(thrown)) this.#note = "Stopped; what was made is kept, and the next run goes on from there.";
      else if (options.keptOnly !== true) throw thrown;
      else this.#daemon.log.warn(`summaries: ${toUserFailure(thrown).message}`);
    } finally {
      this.#draw();
    }
  }

  #drawSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#draw();
    }, drawEveryMs);
  }

  #draw(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#items = shapeSummaries([...this.#nodes.values()]);
    this.#describe();
    this.#changed.fire();
  }

  #describe(): void {
    const running = this.#work.running.find(({ kind }) => kind === "summarize");
    const lines = [
      ...(running?.progress ? [progressText(running.progress)] : []),
      ...(!running && this.#nodes.size > 0 && this.#coverage ? [`Summarized: ${coverageText(this.#coverage)}`] : []),
      ...(this.#note === "" ? [] : [this.#note]),
    ];
    this.#view.message = lines.join(" · ");
  }
}

function statementItem({ statement, id }: SummaryLeaf, root: vscode.Uri | undefined): vscode.TreeItem {
  const [place] = statement.citations;
  const made = new vscode.TreeItem(statement.text);
  made.id = `statement:${id}`;
  made.tooltip = statement.text;
  made.iconPath = new vscode.ThemeIcon(place && !place.verified ? "question" : "quote");
  if (!place) return made;
  const name = place.path.split("/").at(-1) ?? place.path;
  made.description = `${name}:${place.line}${place.verified ? "" : ", not verified"}`;
  if (root) {
    made.command = { command: "longsight.showPlace", title: "Open", arguments: [root, place.path, place.line] };
  }
  return made;
}
