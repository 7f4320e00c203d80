import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { FileTokens } from "./token-cache.ts";

/**
 * One file, replaced as a whole: a header, then the entries, then a SHA-256 of all before it.
 *
 *     header  magic [8] | byte order mark u32 | entry count u32
 *     entry   key [32] | line count u32 | block count u32 | id count u32 | block lengths u32[blocks] | ids u32[ids]
 */
const magic = Buffer.from("LSTOKEN2");
const byteOrderMark = 0x01020304;
const headerBytes = 16;
const entryHeaderBytes = 44;
const checksumBytes = 32;
const fileName = "tokens.bin";

/** Entries of an earlier process, oldest first. A damaged, foreign or too large file is an empty one. */
export async function readCacheFile(directory: string, maxBytes: number): Promise<Map<string, FileTokens>> {
  let handle: FileHandle;
  try {
    handle = await open(join(directory, fileName), "r");
  } catch {
    return new Map();
  }
  try {
    const { size } = await handle.stat();
    if (size < headerBytes + checksumBytes || size > maxBytes) return new Map();
    return decode(await handle.readFile());
  } catch {
    return new Map();
  } finally {
    await handle.close();
  }
}

/** Writes to a name of its own first, so that a reader sees the old file or the new one. */
export async function writeCacheFile(directory: string, entries: ReadonlyMap<string, FileTokens>): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = join(directory, `${fileName}.${randomUUID()}`);
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(encode(entries));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, join(directory, fileName));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Bytes that an entry takes in the file, and about as many in memory. */
export function entryBytes({ blockLengths, ids }: FileTokens): number {
  return entryHeaderBytes + 4 * (blockLengths.length + ids.length);
}

function encode(entries: ReadonlyMap<string, FileTokens>): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  new Uint32Array(header.buffer, header.byteOffset + 8, 2).set([byteOrderMark, entries.size]);
  const parts: Buffer[] = [header];
  for (const [key, { lineCount, blockLengths, ids }] of entries) {
    parts.push(Buffer.from(key, "hex"), bytesOf(Uint32Array.of(lineCount, blockLengths.length, ids.length)));
    parts.push(bytesOf(blockLengths), bytesOf(ids));
  }
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return Buffer.concat([...parts, hash.digest()]);
}

function bytesOf(values: Uint32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

function decode(file: Buffer): Map<string, FileTokens> {
  const entries = new Map<string, FileTokens>();
  const end = file.length - checksumBytes;
  const checksum = createHash("sha256").update(file.subarray(0, end)).digest();
  if (!file.subarray(0, 8).equals(magic) || !checksum.equals(file.subarray(end))) return entries;
  let at = 8;
  const take = (count: number): Uint32Array => {
    if (count * 4 > end - at) throw new RangeError("the file ends within an entry");
    // A copy: the bytes may stand at any offset, and the file's buffer shall not live on.
    const values = new Uint32Array(count);
    file.copy(bytesOf(values), 0, at, at + count * 4);
    at += count * 4;
    return values;
  };
  const [mark, count = 0] = take(2);
  if (mark !== byteOrderMark) return entries;
  for (let index = 0; index < count; index++) {
    const key = Buffer.from(take(8).buffer).toString("hex");
    const [lineCount = 0, blockCount = 0, idCount = 0] = take(3);
    entries.set(key, { lineCount, blockLengths: take(blockCount), ids: take(idCount) });
  }
  return entries;
}
