/** A frame's body as a JSON-RPC 2.0 message, or what is wrong with it. */
import { rpcErrors } from "../protocol/base.ts";
import { limits } from "../protocol/limits.ts";

export type RequestId = number | string;

export type Envelope =
  | { readonly kind: "request"; readonly id: RequestId; readonly method: string; readonly params: object | undefined }
  | { readonly kind: "notification"; readonly method: string; readonly params: object | undefined }
  /** To a request of ours; we send none. */
  | { readonly kind: "response" }
  /** `id` is the request's, where it could be read. */
  | { readonly kind: "invalid"; readonly id: RequestId | null; readonly code: number; readonly message: string };

const utf8 = new TextDecoder("utf-8", { fatal: true });
const maxIdLength = 128;
const maxMethodLength = 128;

export function readEnvelope(body: Buffer): Envelope {
  let text: string;
  try {
    text = utf8.decode(body);
  } catch {
    return invalid(null, rpcErrors.parseError, "The body is not valid UTF-8.");
  }
  // Before parsing: a parser's own stack must not decide how deep is too deep.
  if (nestingDepth(text) > limits.maxNestingDepth) {
    const limit = limits.maxNestingDepth.toString();
    return invalid(null, rpcErrors.invalidRequest, `The body is nested deeper than ${limit} levels.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : "";
    return invalid(null, rpcErrors.parseError, `The body is not JSON: ${reason}`);
  }
  return checkMessage(value);
}

function checkMessage(value: unknown): Envelope {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return invalid(null, rpcErrors.invalidRequest, "The body is not a JSON object (batches are not part of LSP).");
  }
  const id = "id" in value && isId(value.id) ? value.id : null;
  if (!("jsonrpc" in value) || value.jsonrpc !== "2.0") {
    return invalid(id, rpcErrors.invalidRequest, '"jsonrpc" must be "2.0".');
  }
  if (!("method" in value)) {
    if (id !== null && ("result" in value || "error" in value)) return { kind: "response" };
    return invalid(id, rpcErrors.invalidRequest, "The message has no method.");
  }
  const { method } = value;
  if (typeof method !== "string" || method === "" || method.length > maxMethodLength) {
    return invalid(id, rpcErrors.invalidRequest, "The method is not a short string.");
  }
  const params = "params" in value ? (value.params ?? undefined) : undefined;
  if (params !== undefined && typeof params !== "object") {
    return invalid(id, rpcErrors.invalidRequest, "The params are neither an object nor an array.");
  }
  if (!("id" in value)) return { kind: "notification", method, params };
  if (id === null) {
    return invalid(null, rpcErrors.invalidRequest, "The id is neither an integer nor a short string.");
  }
  return { kind: "request", id, method, params };
}

function isId(value: unknown): value is RequestId {
  return typeof value === "string" ? value.length <= maxIdLength : Number.isSafeInteger(value);
}

function nestingDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (inString) {
      if (unit === 0x5c)
        at++; // backslash: the next unit is escaped
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x5b || unit === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (unit === 0x5d || unit === 0x7d) depth--;
  }
  return deepest;
}

function invalid(id: RequestId | null, code: number, message: string): Envelope {
  return { kind: "invalid", id, code, message };
}
