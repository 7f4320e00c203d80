import { constants, type BigIntStats } from "node:fs";
import { open, realpath, type FileHandle } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";

export type OpenRefusal =
  | { readonly kind: "gone" }
  | { readonly kind: "link"; readonly detail: string }
  | { readonly kind: "not-a-file"; readonly detail: string }
  | { readonly kind: "unreadable"; readonly detail: string };

export interface OpenedFile {
  readonly kind: "opened";
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
}

/**
 * Without following a last link, and without waiting for the writer of a FIFO. Windows has neither flag: they are undefined
 * there whatever the types say, and count as 0 in the bitwise or.
 */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens a regular file below `root`, and nothing else: no link, no device, no FIFO, no folder, nothing that a link among
 * its parent folders leads out to. What was opened is asked (fstat), not the path, which may be another thing by then.
 *
 * @param root absolute, links resolved
 * @param path relative to it
 * @param folders where parent folders really are, remembered over the calls of one scan
 */
export async function openBelow(
  root: string,
  path: string,
  folders = new Map<string, Promise<string>>(),
): Promise<OpenedFile | OpenRefusal> {
  const file = join(root, path);
  let handle: FileHandle;
  try {
    const folder = dirname(file);
    const realFolder = folders.get(folder) ?? realpath(folder);
    folders.set(folder, realFolder);
    if (!isBelow(root, await realFolder)) return { kind: "link", detail: "a link leads out of the folder" };
    handle = await open(file, openFlags);
  } catch (error) {
    return refusalOf(error);
  }
  try {
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile()) return { kind: "opened", handle, stats };
    await handle.close();
    return { kind: "not-a-file", detail: "a device, pipe, socket or folder" };
  } catch (error) {
    await handle.close();
    return refusalOf(error);
  }
}

/**
 * What an opened file holds, in one read as a rule. A file that grows meanwhile gives at most `maxBytes` + 1 bytes, by which
 * the caller sees that it is too large.
 */
export async function readOpened({ handle, stats }: OpenedFile, maxBytes: number): Promise<Buffer> {
  let buffer = Buffer.allocUnsafe(Math.min(Number(stats.size), maxBytes) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length > maxBytes) return buffer.subarray(0, length);
    // One byte of room is left when the size was right, and the next read would only find the end.
    if (BigInt(length) === stats.size) return buffer.subarray(0, length);
    if (length === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(Math.min(length, maxBytes) + 1)]);
  }
}

export function isBelow(root: string, path: string): boolean {
  const step = relative(root, path);
  return step !== ".." && !step.startsWith(`..${sep}`) && !/^[A-Za-z]:/.test(step);
}

function refusalOf(error: unknown): OpenRefusal {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return { kind: "gone" };
    case "ELOOP":
    case "EMLINK":
      return { kind: "link", detail: "links are not followed" };
    case "ENXIO":
    case "EISDIR":
      return { kind: "not-a-file", detail: "a device, pipe, socket or folder" };
    default:
      return { kind: "unreadable", detail: `the system says ${code}` };
  }
}
