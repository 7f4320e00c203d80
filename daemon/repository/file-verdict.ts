import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { hasUtf16Mark, looksBinary } from "./binary.ts";
import { generatedByContent } from "./generated.ts";
import { namesIn } from "./names.ts";
import type { FileVerdict } from "./scan-types.ts";
import { findSecret } from "./secret-content.ts";

/**
 * What the bytes of a file are. Secrets come before everything that a user may bring back.
 *
 * @param objectId the file's blob in git's index; it tells which hash git uses
 * @param broughtBack the user's own ignore file names it: generated text is then welcome
 */
export function judgeContent(bytes: Buffer, objectId: string | undefined, broughtBack: boolean): FileVerdict {
  if (hasUtf16Mark(bytes)) return leftOut("invalid-utf8", "UTF-16; save it as UTF-8 to include it");
  if (looksBinary(bytes)) return leftOut("binary", "holds zero bytes");
  if (!isUtf8(bytes)) return leftOut("invalid-utf8", "not valid UTF-8");
  const text = bytes.toString("utf8");
  const secret = findSecret(text);
  if (secret !== null) return leftOut("secret", `line ${secret.line} looks like ${secret.name}`);
  const generated = broughtBack ? null : generatedByContent(text);
  if (generated !== null) return leftOut("generated", generated);
  return {
    kind: "text",
    hash: contentHash(bytes),
    names: namesIn(text),
    gitObjectIds: objectId === undefined ? [] : gitObjectIds(bytes, objectId),
  };
}

/** SHA-256 in hex. */
export function contentHash(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}

function leftOut(reason: Extract<FileVerdict, { kind: "left-out" }>["reason"], detail: string): FileVerdict {
  return { kind: "left-out", reason, detail };
}

const sha256HexLength = 64;
const carriageReturnNewline = Buffer.from("\r\n");

/**
 * The names that git would give to these bytes as a blob: as they are, and with CRLF line ends turned into LF as
 * `core.autocrlf` does (gitformat "blob <size>\0<content>", git-hash-object(1)).
 */
function gitObjectIds(bytes: Buffer, objectId: string): string[] {
  const algorithm = objectId.length === sha256HexLength ? "sha256" : "sha1";
  const forms = [bytes];
  if (bytes.includes(carriageReturnNewline)) {
    forms.push(Buffer.from(bytes.toString("latin1").replaceAll("\r\n", "\n"), "latin1"));
  }
  return forms.map((form) => createHash(algorithm).update(`blob ${form.length}\0`).update(form).digest("hex"));
}
