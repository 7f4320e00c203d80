/** What stands below an answer: where it is from, whether that was checked, and what it cost. */
import type { AskRecord } from "../protocol/ask.ts";
import type { ContextSummary } from "../protocol/context.ts";
import { count, duration } from "./progress-view.ts";

/** What follows is noise, and in --json. */
const shownEvidenceFiles = 5;

/** A path may hold any character but "/" and zero: none of them steers the terminal. */
export function printable(path: string): string {
  return path.replace(/\p{Cc}|[\u202A-\u202E\u2066-\u2069]/gu, "?");
}

/** One line per place; empty when the answer cites nothing. */
export function renderCitations(record: AskRecord): string {
  const lines = new Set(
    record.citations.map(({ path, line, verified, stale }) => {
      const mark = verified
        ? "  (checked)"
        : "  (unverified: the quoted text, or the name asked for, was not found there)";
      return `  ${printable(path)}:${line.toString()}${mark}${stale ? "  (the file has changed since it was read)" : ""}`;
    }),
  );
  return [...lines].map((line) => `${line}\n`).join("");
}

/** A "not found" speaks for what was read; when the budget left files out, that stands beside it. Empty otherwise. */
export function renderUnread({ citations, context }: AskRecord): string {
  const unread = context.leftOut.filter(({ reason }) => reason === "budget" || reason === "truncated").length;
  if (citations.length > 0 || unread === 0) return "";
  const files = unread === 1 ? "1 file" : `${count(unread)} files`;
  return `  (${files} did not fit and had no say: ask about a folder with --repo DIR, or raise --context)\n`;
}

export function renderTimings(record: AskRecord): string {
  const { timings, stopReason } = record;
  const parts = [
    `first token after ${duration(timings.firstTokenMs)}`,
    `${count(timings.cachedTokens)} of ${count(timings.promptTokens)} tokens reused`,
    ...(timings.prefillMs > 0 ? [`prefill ${duration(timings.prefillMs)}`] : []),
    ...(timings.tokensPerSecond > 0 ? [`${timings.tokensPerSecond.toFixed(1)} tokens/s`] : []),
    renderPrefill(record),
    ...(stopReason === "max-tokens" ? ["cut off at --max-tokens"] : []),
  ];
  return `[${parts.join(", ")}]\n`;
}

/** "sparse prefill: 91.2 % skipped, recall 0.981 (least 0.950)". What was left out of a dense one needs no figures. */
export function renderPrefill({ mode, prefill }: Pick<AskRecord, "mode" | "prefill">): string {
  const { recall, sparsity, guardShare } = prefill;
  if (mode === "dense") return "dense prefill";
  const guard = guardShare > 0 ? `, ${(100 * guardShare).toFixed(1)} % added by the guard` : "";
  const kept = `recall ${recall.mean.toFixed(3)} (least ${recall.least.toFixed(3)})`;
  return `sparse prefill: ${(100 * sparsity).toFixed(1)} % skipped, ${kept}${guard}`;
}

/** One line when the context was just computed in less than the best way, for lack of memory. Empty otherwise. */
export function renderReduced({ prefill, timings }: Pick<AskRecord, "prefill" | "timings">): string {
  if (!prefill.reduced || timings.prefillMs === 0) return "";
  const kept = prefill.kv === "fp8" ? "keys and values are kept in fp8, which is half as large and coarser" : "";
  const chunks = `the context was read in chunks of ${count(prefill.chunkTokens)} tokens`;
  return `[memory is short: ${kept === "" ? `${chunks}, which takes longer` : `${kept}; ${chunks}`}]\n`;
}

/** The files on which the answer's attention lay: a second opinion beside the citations. Empty when nobody asked. */
export function renderEvidence({ evidence }: AskRecord): string {
  if (evidence === undefined) return "";
  if (evidence === null) return "[evidence: this device cannot tell where the attention lay]\n";
  const files = evidence.files.slice(0, shownEvidenceFiles);
  const list = files.map(({ path, share }) => `${printable(path)} ${(100 * share).toFixed(0)} %`);
  return `[attention: ${list.join(", ")}; ${(100 * evidence.repositoryShare).toFixed(0)} % of it on files]\n`;
}

/** "412 files, 31,201 tokens; 14 left out: 9 budget, 3 binary, 2 secret (--json lists them)". */
export function renderContext(context: ContextSummary): string {
  const reasons = new Map<string, number>();
  for (const { reason } of context.leftOut) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const inside = `[context: ${count(context.files)} files, ${count(context.tokens)} tokens`;
  const changed = context.changedFiles > 0 ? `; ${count(context.changedFiles)} changed since the last question` : "";
  if (context.leftOutCount === 0) return `${inside}${changed}]\n`;
  const list = [...reasons]
    .sort(([, first], [, second]) => second - first)
    .map(([reason, number]) => `${count(number)} ${reason}`);
  return `${inside}; left out ${count(context.leftOutCount)}: ${list.join(", ")} (--json lists them)${changed}]\n`;
}
