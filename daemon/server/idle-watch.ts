/** Idle shutdown in two steps: first the engine gives its memory back, later the daemon itself goes. */
export interface IdleTimes {
  /** Milliseconds without a request after which the engine is freed. */
  readonly freeEngineMs: number;
  /** Milliseconds without a connection or a request after which the daemon exits. */
  readonly exitMs: number;
}

export interface IdleSubject {
  /** When a request last ran, in Date.now()'s milliseconds; now, while one is running. */
  lastRequestAt(): number;
  /** When a client was last connected; now, while one is. */
  lastConnectionAt(): number;
  freeEngine(): void;
  exit(reason: string): void;
  /** What was taken from under this daemon, so that it is of no use any more: said of the reason why it exits. */
  missing(): string | null;
}

export const defaultIdleTimes: IdleTimes = { freeEngineMs: 10 * 60_000, exitMs: 30 * 60_000 };

/** Starts watching; the returned function ends it. */
export function watchIdle(times: IdleTimes, subject: IdleSubject): () => void {
  let freedFor = 0;
  const everyMs = Math.min(Math.max(Math.min(times.freeEngineMs, times.exitMs) / 4, 20), 15_000);
  const timer = setInterval(() => {
    const now = Date.now();
    const requestAt = subject.lastRequestAt();
    const usedAt = Math.max(requestAt, subject.lastConnectionAt());
    if (now - requestAt >= times.freeEngineMs && freedFor !== requestAt) {
      freedFor = requestAt;
      subject.freeEngine();
    }
    if (now - usedAt >= times.exitMs) subject.exit("idle");
    else if (usedAt < now) {
      const missing = subject.missing();
      if (missing !== null) subject.exit(`${missing} was removed`);
    }
  }, everyMs);
  return () => {
    clearInterval(timer);
  };
}
