/** Runs work that Ctrl-C cancels: it then rejects with `cancelled`, and the second Ctrl-C does not wait for the daemon. */
export async function interruptible<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const aborter = new AbortController();
  const onInterrupt = (): void => {
    if (aborter.signal.aborted) process.exit(130);
    aborter.abort();
  };
  process.on("SIGINT", onInterrupt);
  try {
    return await work(aborter.signal);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}
