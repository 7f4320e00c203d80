/** `longsight bench`: kernels and whole passes by the native programs, then a repository's two first questions. */
import type { AskRecord } from "../protocol/ask.ts";
import type { BenchArguments } from "./arguments.ts";
import { findBenchProgram, runBenchJson, runBenchTable } from "./bench-programs.ts";
import type { DaemonClient } from "./daemon-client.ts";
import { packageRoot } from "./place.ts";
import { count, createProgressView, duration } from "./progress-view.ts";
import { readTarget } from "./target.ts";

const programs = { kernels: "longsight-bench-kernels", model: "longsight-bench-model" } as const;
const firstQuestion = "Where is the function main defined?";
/** Another question, so that nothing but the repository can be reused. */
const secondQuestion = "What does the README say about installation?";

interface EndToEnd {
  readonly repository: string;
  readonly model: string;
  readonly contextTokens: number;
  readonly prefillMs: number;
  readonly prefillTokensPerSecond: number;
  readonly firstQuestionFirstTokenMs: number;
  readonly secondQuestionFirstTokenMs: number;
  /** First token of the second question as a share of the first question's prefill, 0 to 1. */
  readonly secondToPrefill: number;
  readonly secondQuestionCachedTokens: number;
  readonly peakMemoryBytes: number;
}

export async function benchCommand(client: DaemonClient, args: BenchArguments): Promise<void> {
  const results: Record<string, unknown> = {};
  for (const [name, program] of Object.entries(programs)) {
    const found = findBenchProgram(packageRoot, program);
    if (args.json) results[name] = found ? await runBenchJson(found) : null;
    else if (found) await runBenchTable(found);
    if (!found) process.stderr.write(`${program} is not built; \`npm run build\` builds it.\n`);
    else if (!args.json) process.stdout.write("\n");
  }
  const endToEnd = await measureRepository(client, args);
  process.stdout.write(args.json ? `${JSON.stringify({ ...results, endToEnd }, null, 2)}\n` : render(endToEnd));
}

async function measureRepository(client: DaemonClient, args: BenchArguments): Promise<EndToEnd> {
  await client.cache({ release: true }); // what is held would make the first question look fast
  const first = await ask(client, args, firstQuestion);
  const second = await ask(client, args, secondQuestion);
  const { prefillMs } = first.timings;
  return {
    repository: readTarget(args).repository,
    model: first.model,
    contextTokens: first.context.tokens,
    prefillMs,
    prefillTokensPerSecond: prefillMs > 0 ? (first.context.tokens / prefillMs) * 1000 : 0,
    firstQuestionFirstTokenMs: first.timings.firstTokenMs,
    secondQuestionFirstTokenMs: second.timings.firstTokenMs,
    secondToPrefill: prefillMs > 0 ? second.timings.firstTokenMs / prefillMs : 0,
    secondQuestionCachedTokens: second.timings.cachedTokens,
    peakMemoryBytes: second.peakMemoryBytes,
  };
}

async function ask(client: DaemonClient, args: BenchArguments, question: string): Promise<AskRecord> {
  const view = createProgressView(process.stderr);
  const aborter = new AbortController();
  const onInterrupt = (): void => {
    aborter.abort();
  };
  process.once("SIGINT", onInterrupt);
  try {
    return await client.ask({ ...readTarget(args), question }, aborter.signal, {
      onProgress: (record) => {
        view.show(record);
      },
      onPiece: () => undefined,
    });
  } finally {
    process.off("SIGINT", onInterrupt);
    view.clear();
  }
}

function render(result: EndToEnd): string {
  const rate = count(result.prefillTokensPerSecond);
  const share = (result.secondToPrefill * 100).toFixed(2);
  return [
    `repository  ${result.repository}`,
    `model       ${result.model}`,
    `prefill     ${count(result.contextTokens)} tokens in ${duration(result.prefillMs)} (${rate} tokens/s)`,
    `question 1  first token after ${duration(result.firstQuestionFirstTokenMs)}`,
    `question 2  first token after ${duration(result.secondQuestionFirstTokenMs)}: ${share} % of the prefill, ` +
      `${count(result.secondQuestionCachedTokens)} tokens reused`,
    `memory      peak ${count(result.peakMemoryBytes / 1024 ** 2)} MiB`,
    "",
  ].join("\n");
}
