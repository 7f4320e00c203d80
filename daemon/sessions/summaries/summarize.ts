/** One summary of a repository, bottom-up, every question on the same prefix. */
import { Failure, throwIfCancelled } from "../../failure/failure.ts";
import {
  CitationChecker,
  encodeQuestion,
  openAnswer,
  type PackedRepository,
  type PromptModel,
  type ResolvedAnswer,
} from "../../prompt/index.ts";
import type { Citation } from "../../protocol/ask.ts";
import type {
  SummarizeParams,
  SummarizeResult,
  SummaryCoverage,
  SummaryNode,
  SummaryPiece,
  SummaryStatement,
} from "../../protocol/summarize.ts";
import { readSourceText } from "../../repository/index.ts";
import { summarizeContext } from "../context-summary.ts";
import type { LoadedEngine } from "../engine-pool.ts";
import { generateAnswer } from "../generate-answer.ts";
import type { HeldPrefix } from "../held-prefix.ts";
import { answerRoom } from "../question-room.ts";
import type { RepositoryView } from "../repository-view.ts";
import type { Scheduler } from "../scheduler.ts";
import type { Session } from "../session.ts";
import type { Report } from "../shared-task.ts";
import { composeFolder } from "./compose.ts";
import { KeptSummaries } from "./kept-summaries.ts";
import { renderMarkdown } from "./markdown.ts";
import { canOnlyQuote, questionsAbout, type SummaryQuestion } from "./questions.ts";
import { betterOf, isProse, quotedStatements, writtenStatements } from "./statements.ts";
import { filesIn, type FolderBranch, type TreeNode, treeOf } from "./tree.ts";

export interface SummaryOptions {
  readonly root: string;
  readonly session: Session;
  readonly view: RepositoryView;
  readonly model: PromptModel;
  readonly contextTokens: number;
  /** Null: only what is kept. */
  readonly loaded: LoadedEngine | null;
  readonly params: Pick<SummarizeParams, "path" | "again">;
  readonly scheduler: Scheduler;
  readonly kept: KeptSummaries;
  /** Equal for two models only if they answer alike. */
  readonly modelIdentity: string;
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly onNode: (piece: SummaryPiece) => void;
}

/** Rejects with the codes of a question; what was finished by then is kept. */
export async function summarize(options: SummaryOptions): Promise<SummarizeResult> {
  const { root, session, view, model, loaded, params, kept, signal, report } = options;
  const { pack, changes, basis } = await session.pack(view, signal, report);
  const tree = treeOf(pack.files, params.path ?? "");
  if (!tree) throw new Failure("invalid-argument", `Nothing of the context is at "path" ${params.path ?? ""}.`);
  const prefix = loaded ? (await session.prefix(basis, loaded, signal, report)).prefix : null;
  const run = new SummaryRun(options, pack, prefix, filesIn(tree));
  try {
    await run.visit(tree);
  } finally {
    await kept.save();
    await prefix?.leave();
  }
  const nodes = [...run.nodes].sort((first, second) => (first.path < second.path ? -1 : 1));
  return {
    repository: root,
    model: model.modelDir,
    nodes,
    coverage: run.coverage,
    markdown: renderMarkdown(root, nodes, run.coverage),
    context: summarizeContext(pack, view, changes.length),
  };
}

interface Visited {
  readonly node: SummaryNode;
  /** What it was made from. */
  readonly key: string;
}

class SummaryRun {
  readonly nodes: SummaryNode[] = [];
  readonly #options: SummaryOptions;
  readonly #pack: PackedRepository;
  readonly #prefix: HeldPrefix | null;
  readonly #checker: CitationChecker;
  readonly #fileCount: number;
  readonly #startedAt = performance.now();
  #doneFiles = 0;
  #askedFiles = 0;
  #summarized = 0;

  constructor(options: SummaryOptions, pack: PackedRepository, prefix: HeldPrefix | null, fileCount: number) {
    this.#options = options;
    this.#pack = pack;
    this.#prefix = prefix;
    this.#fileCount = fileCount;
    this.#checker = new CitationChecker(pack, "", options.view.overlays);
  }

  get coverage(): SummaryCoverage {
    return { summarized: this.#summarized, files: this.#fileCount };
  }

  /** Null when nothing is kept of it and nobody may be asked. */
  async visit(node: TreeNode): Promise<Visited | null> {
    throwIfCancelled(this.#options.signal);
    const visited = node.kind === "file" ? await this.#visitFile(node) : await this.#visitFolder(node);
    if (node.kind === "file") {
      this.#doneFiles += 1;
      if (visited && visited.node.statements.length > 0) this.#summarized += 1;
      this.#tell();
    }
    if (!visited) return null;
    this.nodes.push(visited.node);
    this.#options.onNode({ node: visited.node, coverage: this.coverage });
    return visited;
  }

  async #visitFile(node: TreeNode & { kind: "file" }): Promise<Visited | null> {
    const key = KeptSummaries.key(["file", this.#options.modelIdentity, node.path, node.file.hash]);
    const found = await this.#statements(node, key);
    if (!found) return null;
    const coverage = { summarized: found.statements.length > 0 ? 1 : 0, files: 1 };
    return { key, node: { path: node.path, kind: "file", ...found, coverage } };
  }

  async #visitFolder(node: FolderBranch): Promise<Visited | null> {
    const children: Visited[] = [];
    for (const child of node.children) {
      const visited = await this.visit(child);
      if (visited) children.push(visited);
    }
    const { path, kind } = node;
    const key = KeptSummaries.key([kind, this.#options.modelIdentity, path, ...children.map((child) => child.key)]);
    const nodes = children.map((child) => child.node);
    const found = canOnlyQuote(this.#options.model)
      ? { statements: composeFolder(node, nodes), kept: nodes.every((child) => child.kept) }
      : await this.#statements(node, key);
    if (!found || children.length === 0) return null;
    const summarized = nodes.reduce((sum, child) => sum + child.coverage.summarized, 0);
    return { key, node: { path, kind, ...found, coverage: { summarized, files: node.fileCount } } };
  }

  /** Kept ones, or the model's. */
  async #statements(
    node: TreeNode,
    key: string,
  ): Promise<{ statements: readonly SummaryStatement[]; kept: boolean } | null> {
    const { kept, params, model } = this.#options;
    const known = params.again && this.#prefix ? undefined : kept.get(key);
    if (known) return { statements: await Promise.all(known.map((one) => this.#checkAgain(one, node))), kept: true };
    if (!this.#prefix) return null;
    const lines = await this.#lines(node);
    const questions = questionsAbout(model, node, lines);
    if (questions.length === 0) return null;
    let statements: SummaryStatement[] = [];
    for (const question of questions) {
      const answered = await this.#ask(node, lines, question, this.#prefix);
      statements = betterOf(statements, answered);
      if (statements.some(isProse)) break;
    }
    await kept.set(key, statements);
    if (node.kind === "file") this.#askedFiles += 1;
    return { statements, kept: false };
  }

  async #lines({ kind, path }: TreeNode): Promise<readonly string[]> {
    const { root, view } = this.#options;
    const source = kind === "file" ? await readSourceText(root, path, view.overlays) : null;
    return source?.text.split("\n") ?? [];
  }

  async #ask(
    { path }: TreeNode,
    lines: readonly string[],
    { text, maxTokens }: SummaryQuestion,
    prefix: HeldPrefix,
  ): Promise<SummaryStatement[]> {
    const { model, view, contextTokens, scheduler, signal } = this.#options;
    const question = await encodeQuestion(model, text);
    const room = {
      contextTokens,
      repositoryTokens: this.#pack.tokens.length,
      questionTokens: question.length,
      maxTokens,
    };
    const { overlays } = view;
    const reader = openAnswer({ model, pack: this.#pack, question: text, overlays, onText: () => undefined });
    const generated = await generateAnswer({
      loaded: prefix.loaded,
      scheduler,
      prefix: prefix.kv,
      question,
      maxTokens: answerRoom(room),
      sampling: { temperature: 0 },
      evidenceEnds: new Uint32Array(),
      signal,
      report: () => undefined,
      onToken: (tokenId) => {
        reader.push(tokenId);
      },
    });
    if (generated.stopReason === "cancelled") throw new Failure("cancelled", "The request was cancelled.");
    const answer: ResolvedAnswer = await reader.finish();
    if (!canOnlyQuote(model)) return writtenStatements(answer);
    return quotedStatements(answer, path, lines);
  }

  /** A kept file is the file that it was; what else was cited may have changed. */
  async #checkAgain(statement: SummaryStatement, node: TreeNode): Promise<SummaryStatement> {
    const citations = await Promise.all(
      statement.citations.map(async (citation): Promise<Citation> => {
        if (citation.path === node.path || citation.quote === "") return citation;
        const file = this.#checker.fileByPath(citation.path);
        if (!file) return { ...citation, verified: false, stale: true };
        const range = { first: citation.line, last: citation.line };
        const { path, line, verified, stale, quote } = await this.#checker.check(file, range, citation.quote);
        return { path, line, verified, stale, quote };
      }),
    );
    return { text: statement.text, citations };
  }

  #tell(): void {
    const elapsedMs = performance.now() - this.#startedAt;
    const msPerFile = this.#askedFiles > 0 ? elapsedMs / this.#askedFiles : null;
    this.#options.report({
      phase: "summarizing",
      totalTokens: this.#fileCount,
      cachedTokens: this.#doneFiles - this.#askedFiles,
      processedTokens: this.#doneFiles,
      elapsedMs,
      tokensPerSecond: msPerFile === null ? 0 : 1000 / msPerFile,
      etaMs: msPerFile === null ? null : msPerFile * (this.#fileCount - this.#doneFiles),
    });
  }
}
