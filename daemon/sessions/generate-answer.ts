/** One turn of the engine: a question on a prefix, in its place in the queue. */
import type { Generated, KvState, Sampling } from "../engine/engine.ts";
import type { LoadedEngine } from "./engine-pool.ts";
import { phaseRecord } from "./phase-record.ts";
import { chunkTokens } from "./prefill.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Report } from "./shared-task.ts";

export interface GenerateOptions {
  readonly loaded: LoadedEngine;
  readonly scheduler: Scheduler;
  readonly prefix: KvState;
  readonly question: Uint32Array;
  readonly maxTokens: number;
  readonly sampling: Sampling;
  /** Spans of the prefix whose evidence is wanted, as the engine takes them; empty: none. */
  readonly evidenceEnds: Uint32Array;
  readonly signal: AbortSignal;
  readonly report: Report;
  readonly onToken: (tokenId: number) => void;
}

/** The KV of the turn itself is freed; a cancelled turn resolves, too. */
export async function generateAnswer(options: GenerateOptions): Promise<Generated> {
  const { loaded, scheduler, prefix, question, maxTokens, sampling, evidenceEnds, signal, report, onToken } = options;
  const startedAt = performance.now();
  const tell = (phase: "queued" | "answering", queuePosition?: number): void => {
    const { tokenCount } = prefix;
    const tokens = { totalTokens: tokenCount, cachedTokens: tokenCount, processedTokens: tokenCount };
    const position = queuePosition === undefined ? {} : { queuePosition };
    report(phaseRecord(phase, { ...tokens, ...position, elapsedMs: performance.now() - startedAt }));
  };
  const onPosition = (jobsBefore: number): void => {
    tell("queued", jobsBefore);
  };
  return scheduler.run("answer", scheduler.newTicket(), { signal, onPosition }, async () => {
    tell("answering");
    const turn = { maxTokens, chunkTokens, sampling, evidenceEnds, signal, onToken };
    const generated = await loaded.engine.generate(prefix, question, turn);
    await loaded.engine.release(generated.kv);
    return generated;
  });
}
