import { errorCatalogue, type ErrorCode } from "../protocol/errors.ts";

/**
 * A failure that a user can meet. `code` is its entry in the catalogue, `message` says what happened with the figures
 * and names that matter; `cause` goes to the log only.
 */
export class Failure extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "Failure";
    this.code = code;
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(errorCatalogue, value);
}

/**
 * Any thrown value as a Failure. Errors of other rooms, of the addon and of the engine's process carry a catalogue
 * `code`; what carries none is a defect of ours and becomes `internal`.
 */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof Error) {
    const code = "code" in thrown ? thrown.code : undefined;
    if (isErrorCode(code)) return new Failure(code, thrown.message, { cause: thrown });
    if (thrown.name === "AbortError") return new Failure("cancelled", "The request was cancelled.", { cause: thrown });
    return new Failure("internal", `Internal error: ${thrown.message}`, { cause: thrown });
  }
  return new Failure("internal", `Internal error: ${String(thrown)}`, { cause: thrown });
}

/** Throws `cancelled` when the signal has fired. */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new Failure("cancelled", "The request was cancelled.");
}
