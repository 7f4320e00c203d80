/**
 * The plan before the work: the best way to have a context that there is room for, once room has been made, or else the figures of
 * the refusal. The engine says which ways there are and what each takes; which one is taken is decided here and nowhere else.
 */
import type { MemoryPlan } from "../engine/engine.ts";
import { Failure } from "../failure/failure.ts";

/** The memory that all sessions share, as one of them sees it. */
export interface SharedMemory {
  /** What `freeSomething` would free in the end, or less. */
  freeableBytes(): number;
  /** Frees memory that other sessions hold for nobody at the moment; false when there is nothing left to free. */
  freeSomething(): Promise<boolean>;
  /** What `freeSomething` will be able to free when the requests that run now are done, or less. */
  comingBytes(): number;
  /** Resolves when a session may have come out of use; rejects with `cancelled`. */
  nextIdle(signal: AbortSignal): Promise<void>;
  /** To be called when a session may have come out of use. */
  onIdle(): void;
}

export interface RoomRequest {
  readonly contextTokens: number;
  /** Ways to have it, the best first, with the memory that is free now; at least one. */
  readonly plan: () => Promise<readonly MemoryPlan[]>;
  readonly memory: Pick<SharedMemory, "freeableBytes" | "freeSomething">;
}

/**
 * Frees no more than the way needs that it resolves with. Rejects with `not-enough-memory` when nothing more can be freed and no
 * way fits.
 */
export async function ensureRoom(request: RoomRequest): Promise<MemoryPlan> {
  for (;;) {
    const plans = await request.plan();
    const freeableBytes = request.memory.freeableBytes();
    const best = plans.find((plan) => plan.requiredBytes <= plan.availableBytes + freeableBytes);
    if (best && fits(best)) return best;
    if (await request.memory.freeSomething()) continue;
    const now = plans.find(fits);
    if (now) return now;
    throw refusal(request.contextTokens, plans);
  }
}

function fits(plan: MemoryPlan): boolean {
  return plan.requiredBytes <= plan.availableBytes;
}

/** Whether `plan` asks for less than one that was tried: for a lesser type, or for shorter chunks of the same. */
export function isBelow(plan: MemoryPlan, tried: MemoryPlan): boolean {
  return plan.kv === tried.kv ? plan.chunkTokens < tried.chunkTokens : plan.kv === "fp8";
}

/** With the figures of the way that takes least. */
function refusal(contextTokens: number, plans: readonly MemoryPlan[]): Failure {
  const plan = plans.at(-1);
  if (!plan) return new Failure("internal", "The engine planned nothing.");
  const parts = `weights ${gib(plan.weightsBytes)} + ${plan.kv} KV ${gib(plan.kvBytes)} + workspace ${gib(plan.workspaceBytes)}`;
  return new Failure(
    "not-enough-memory",
    `A context of ${contextTokens.toLocaleString("en-US")} tokens needs ${gib(plan.requiredBytes)} (${parts}); ` +
      `${gib(plan.availableBytes)} are free.`,
  );
}

function gib(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}
