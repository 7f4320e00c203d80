import { Failure } from "../failure/failure.ts";

/** `work`'s outcome, or `cancelled` as soon as the signal fires; the work itself goes on. */
export async function abortable<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  let cancel: () => void = () => undefined;
  const cancelled = new Promise<never>((_resolve, reject) => {
    cancel = (): void => {
      reject(new Failure("cancelled", "The request was cancelled."));
    };
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
  });
  work.catch(() => undefined); // when nobody waits for it any more, its failure is nobody's
  try {
    return await Promise.race([work, cancelled]);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}
