import type { Failure } from "../failure/failure.ts";
import { errorCatalogue } from "../protocol/errors.ts";

/** What happened, and what to do next. */
export function renderFailure(failure: Failure): string {
  if (failure.code === "cancelled") return "Cancelled.\n";
  return `longsight: ${failure.message}\n${errorCatalogue[failure.code].next}\n`;
}
