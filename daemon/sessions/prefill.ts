/** One prefill of a repository: what is held stays, the rest is computed in slices, and answers may go in between. */
import { setTimeout as sleep } from "node:timers/promises";
import type { KvState, MemoryPlan, PrefillSettings } from "../engine/engine.ts";
import { throwIfCancelled } from "../failure/failure.ts";
import { commonPrefixLength } from "../prompt/index.ts";
import type { LoadedEngine } from "./engine-pool.ts";
import { HeldPrefix, type PrefixHistory } from "./held-prefix.ts";
import { PrefillClock } from "./prefill-clock.ts";
import { addReports, emptyReport } from "./prefill-report.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Report } from "./shared-task.ts";

/**
 * Rows that go through the model at once, when there is memory for it. Sparse attention chooses its lines once per chunk, so a long
 * one makes the choice cheap; its activations are far less than the KV.
 */
export const chunkTokens = 32_768;
/** A slice of whole chunks is what an answer of another client may have to wait for; more slices mean more segments. */
const maxSlices = 16;
/** Above this many segments a prefix is computed anew rather than extended once more. */
const maxSegments = 64;

/** How many of `tokens` are held already and are worth keeping. */
export function reusableTokens(held: HeldPrefix | null, tokens: Uint32Array): number {
  if (!held?.isAlive || held.segmentCount >= maxSegments) return 0;
  return commonPrefixLength(held.tokens, tokens);
}

export interface PrefillOptions {
  readonly loaded: LoadedEngine;
  readonly held: HeldPrefix | null;
  readonly tokens: Uint32Array;
  readonly settings: PrefillSettings;
  /** Of a new prefix; what is held keeps its type. */
  readonly way: Pick<MemoryPlan, "kv" | "chunkTokens">;
  /** It is not the best one. */
  readonly reduced: boolean;
  readonly scheduler: Scheduler;
  readonly signal: AbortSignal;
  readonly report: Report;
  /** Called with each longer prefix, the last one complete: a cancelled prefill goes on from the last. The callee owns it. */
  readonly onHeld: (prefix: HeldPrefix) => Promise<void>;
}

/** Resolves with the milliseconds of engine time that it took. */
export async function prefill(options: PrefillOptions): Promise<number> {
  const { loaded, held, tokens, settings, way, scheduler, signal, report } = options;
  const { engine } = loaded;
  const cachedTokens = reusableTokens(held, tokens);
  const clock = new PrefillClock(cachedTokens, tokens.length);
  const startedAt = performance.now();
  const progress = (phase: "queued" | "prefilling", processedTokens: number, queuePosition?: number): void => {
    report({
      phase,
      totalTokens: tokens.length,
      cachedTokens,
      processedTokens,
      elapsedMs: performance.now() - startedAt,
      tokensPerSecond: clock.tokensPerSecond,
      etaMs: clock.etaMs,
      ...(queuePosition === undefined ? {} : { queuePosition }),
    });
  };

  let state: KvState | null = null;
  let history: PrefixHistory = { segmentCount: 0, report: emptyReport, chunkTokens: way.chunkTokens, reduced: false };
  if (held && cachedTokens > 0) {
    state = await engine.view(held.kv, cachedTokens);
    history = held;
    await options.onHeld(new HeldPrefix(loaded, state, tokens.subarray(0, cachedTokens), history));
  }
  const ticket = scheduler.newTicket();
  const sliceTokens = chunkTokens * Math.ceil((tokens.length - cachedTokens) / (chunkTokens * maxSlices));
  let computeMs = 0;
  for (let start = cachedTokens; start < tokens.length;) {
    throwIfCancelled(signal);
    const end = tokens.length - start < 1.25 * sliceTokens ? tokens.length : start + sliceTokens;
    const base: KvState | null = state;
    clock.pause();
    const onPosition = (jobsBefore: number): void => {
      progress("queued", start, jobsBefore);
    };
    const slice = await scheduler.run("prefill", ticket, { signal, onPosition }, async () => {
      clock.resume();
      progress("prefilling", start);
      const sliceStartedAt = performance.now();
      const onProgress = ({ processedTokens }: { processedTokens: number }): void => {
        clock.reached(start + processedTokens);
        progress("prefilling", start + processedTokens);
      };
      try {
        return await engine.prefill(base, tokens.slice(start, end), { ...way, settings, signal, onProgress });
      } finally {
        computeMs += performance.now() - sliceStartedAt;
      }
    });
    state = slice.kv;
    history = {
      segmentCount: history.segmentCount + 1,
      report: addReports(history.report, slice.report),
      chunkTokens: Math.min(history.chunkTokens, way.chunkTokens),
      reduced: history.reduced || options.reduced,
    };
    await options.onHeld(new HeldPrefix(loaded, state, tokens.subarray(0, end), history));
    start = end;
    // Lets an answer that has just arrived reach the queue before the next slice does.
    if (end < tokens.length) await sleep(0);
  }
  return computeMs;
}
