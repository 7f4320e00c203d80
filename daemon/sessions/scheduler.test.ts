import { describe, expect, it } from "vitest";
import { Failure } from "../failure/failure.ts";
import { type JobKind, Scheduler } from "./scheduler.ts";

const never = new AbortController().signal;

/** A job that ends when told to. */
function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("Scheduler", () => {
  it("runs one job at a time, answers first, then in the order of their tickets", async () => {
    const scheduler = new Scheduler();
    const first = gate();
    const order: string[] = [];
    const add = (name: string, kind: JobKind, ticket: number, until: Promise<void> = Promise.resolve()) =>
      scheduler.run(kind, ticket, { signal: never }, async () => {
        order.push(name);
        await until;
        return name;
      });
    const running = add("running", "prefill", 1, first.opened);
    const rest = [
      add("slice of 3", "prefill", 3),
      add("slice of 2", "prefill", 2),
      add("answer 5", "answer", 5),
      add("answer 4", "answer", 4),
    ];
    first.open();
    expect(await running).toBe("running");
    await Promise.all(rest);
    expect(order).toEqual(["running", "answer 4", "answer 5", "slice of 2", "slice of 3"]);
    expect(scheduler.isRunning).toBe(false);
  });

  it("tells each job its place, again when it changes", async () => {
    const scheduler = new Scheduler();
    const first = gate();
    const places: number[] = [];
    const running = scheduler.run("answer", 1, { signal: never }, () => first.opened);
    const prefill = scheduler.run("prefill", 2, { signal: never, onPosition: (place) => places.push(place) }, () =>
      Promise.resolve(),
    );
    const answer = scheduler.run("answer", 3, { signal: never }, () => Promise.resolve());
    first.open();
    await Promise.all([running, prefill, answer]);
    expect(places).toEqual([1, 2, 1]);
  });

  it("drops a job that is cancelled while it waits", async () => {
    const scheduler = new Scheduler();
    const first = gate();
    const aborter = new AbortController();
    const running = scheduler.run("prefill", 1, { signal: never }, () => first.opened);
    const waiting = scheduler.run("answer", 2, { signal: aborter.signal }, () => Promise.reject(new Error("it ran")));
    aborter.abort();
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    expect(scheduler.waitingCount).toBe(0);
    first.open();
    await running;
  });

  it("goes on after a job that failed", async () => {
    const scheduler = new Scheduler();
    const failing = scheduler.run("answer", 1, { signal: never }, () => Promise.reject(new Error("broken")));
    const next = scheduler.run("answer", 2, { signal: never }, () => Promise.resolve("fine"));
    await expect(failing).rejects.toThrow("broken");
    expect(await next).toBe("fine");
  });

  it("rejects what waits, and whatever comes later, when it is closed", async () => {
    const scheduler = new Scheduler();
    const first = gate();
    const running = scheduler.run("prefill", 1, { signal: never }, () => first.opened);
    const waiting = scheduler.run("answer", 2, { signal: never }, () => Promise.resolve());
    scheduler.close(new Failure("engine-stopped", "stopping"));
    await expect(waiting).rejects.toMatchObject({ code: "engine-stopped" });
    await expect(scheduler.run("answer", 3, { signal: never }, () => Promise.resolve())).rejects.toMatchObject({
      code: "engine-stopped",
    });
    first.open();
    await running;
  });
});
