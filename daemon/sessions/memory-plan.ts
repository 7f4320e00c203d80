/** The plan before the work: is there room, can room be made, or what are the figures of the refusal. */
import type { MemoryPlan } from "../engine/engine.ts";
import { Failure } from "../failure/failure.ts";

export interface RoomRequest {
  readonly contextTokens: number;
  /** Bytes of KV that are held already and will be part of the context. */
  readonly reusedBytes: number;
  readonly plan: () => Promise<MemoryPlan>;
  /** Frees something that is held for nobody at the moment; false when there is nothing left. */
  readonly freeSomething: () => Promise<boolean>;
}

/** Resolves when the context fits, and rejects with `not-enough-memory` when nothing more can be freed. */
export async function ensureRoom(request: RoomRequest): Promise<void> {
  for (;;) {
    const plan = await request.plan();
    // What is reused is part of the plan, and is missing from the free memory already.
    if (plan.requiredBytes - request.reusedBytes <= plan.availableBytes) return;
    if (!(await request.freeSomething())) throw refusal(request.contextTokens, plan);
  }
}

function refusal(contextTokens: number, plan: MemoryPlan): Failure {
  const parts = `weights ${gib(plan.weightsBytes)} + KV ${gib(plan.kvBytes)} + workspace ${gib(plan.workspaceBytes)}`;
  return new Failure(
    "not-enough-memory",
    `A context of ${contextTokens.toLocaleString("en-US")} tokens needs ${gib(plan.requiredBytes)} (${parts}); ` +
      `${gib(plan.availableBytes)} are free.`,
  );
}

function gib(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}
