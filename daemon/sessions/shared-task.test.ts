import { describe, expect, it } from "vitest";
import { Failure } from "../failure/failure.ts";
import type { ProgressRecord } from "../protocol/progress.ts";
import { SharedTask } from "./shared-task.ts";

const record: ProgressRecord = {
  phase: "prefilling",
  totalTokens: 10,
  cachedTokens: 0,
  processedTokens: 5,
  elapsedMs: 1,
  tokensPerSecond: 1,
  etaMs: null,
};
const never = new AbortController().signal;
const ignore = () => undefined;

function untilAborted(signal: AbortSignal): Promise<string> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      reject(new Failure("cancelled", "given up"));
    });
  });
}

describe("SharedTask", () => {
  it("gives every member the result, and who comes late the newest progress", async () => {
    let finish: (value: string) => void = ignore;
    const task = new SharedTask<string>((_signal, report) => {
      queueMicrotask(() => {
        report(record);
      });
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
    const first = task.join(never, ignore);
    await Promise.resolve();
    const seen: ProgressRecord[] = [];
    const second = task.join(never, (newest) => seen.push(newest));
    finish("done");
    expect(await Promise.all([first, second])).toEqual(["done", "done"]);
    expect(seen).toEqual([record]);
    expect(task.isJoinable).toBe(false);
  });

  it("goes on when one of two leaves, and is cancelled when the last one does", async () => {
    let aborted = false;
    const task = new SharedTask<string>((signal) => {
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      return untilAborted(signal);
    });
    const one = new AbortController();
    const two = new AbortController();
    const first = task.join(one.signal, ignore);
    const second = task.join(two.signal, ignore);
    one.abort();
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    expect(aborted).toBe(false);
    expect(task.isJoinable).toBe(true);
    two.abort();
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    expect(aborted).toBe(true);
    expect(task.isJoinable).toBe(false);
    await task.over();
  });

  it("lets a member leave at once, though the work takes time to end", async () => {
    const task = new SharedTask<string>(() => new Promise<string>(ignore));
    const aborter = new AbortController();
    aborter.abort();
    await expect(task.join(aborter.signal, ignore)).rejects.toMatchObject({ code: "cancelled" });
  });
});
