/** What the native bench program prints with --json, checked. */
import { Failure } from "../failure/failure.ts";

export interface PrefillRow {
  readonly tokens: number;
  readonly mode: string;
  readonly prefillMs: number;
  /** Of the layers with full attention, without estimate, index and guard: */
  readonly attentionMs: number;
  readonly indexMs: number;
  readonly sparsity: number;
  readonly guardShare: number;
  readonly recall: { readonly mean: number; readonly least: number };
  readonly tokensPerSecond: number;
}

export interface PrefillResult {
  readonly machine: string;
  readonly rows: readonly PrefillRow[];
}

export function readResult(text: string): PrefillResult {
  const result: unknown = JSON.parse(text);
  if (!isResult(result)) throw new Failure("internal", "The bench program's output is not what it should be.");
  return result;
}

function isResult(value: unknown): value is PrefillResult {
  return (
    typeof value === "object" && value !== null && "rows" in value && Array.isArray(value.rows) && "machine" in value
  );
}

export function toTable({ machine, rows }: PrefillResult): string {
  const header = "| tokens | mode | prefill | attention | index | not computed | recall, mean (least) | tokens/s |";
  const lines = rows.map((row) => {
    const cells = [
      row.tokens.toLocaleString("en-US"),
      row.mode,
      `${(row.prefillMs / 1000).toFixed(2)} s${times(rows, row)}`,
      `${(row.attentionMs / 1000).toFixed(2)} s`,
      `${(row.indexMs / 1000).toFixed(2)} s`,
      `${(100 * row.sparsity).toFixed(1)} %`,
      `${row.recall.mean.toFixed(3)} (${row.recall.least.toFixed(3)})`,
      Math.round(row.tokensPerSecond).toLocaleString("en-US"),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [machine, "", header, header.replaceAll(/[^|]+/g, " --- "), ...lines, ""].join("\n");
}

/** " (4.1x)": how much faster than dense at the same length. */
function times(rows: readonly PrefillRow[], row: PrefillRow): string {
  const dense = rows.find(({ tokens, mode }) => mode === "dense" && tokens === row.tokens);
  return dense && row.mode !== "dense" ? ` (${(dense.prefillMs / row.prefillMs).toFixed(2)}x)` : "";
}
