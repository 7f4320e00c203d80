/** The file of kept summaries: JSON with a checksum, replaced as a whole. A damaged or foreign one is an empty one. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Citation } from "../../protocol/ask.ts";
import type { SummaryStatement } from "../../protocol/summarize.ts";

type Entries = Map<string, readonly SummaryStatement[]>;

const fileName = "summaries.json";
const maxFileBytes = 64 << 20;
const checksumLength = 64;

export async function readKeptFile(directory: string): Promise<Entries> {
  const file = path.join(directory, fileName);
  try {
    if ((await stat(file)).size > maxFileBytes) return new Map();
    const text = await readFile(file, "utf8");
    const body = text.slice(checksumLength + 1);
    if (checksum(body) !== text.slice(0, checksumLength)) return new Map();
    const parsed: unknown = JSON.parse(body);
    return new Map(listOf(parsed).map(readEntry));
  } catch {
    return new Map();
  }
}

export async function writeKeptFile(directory: string, entries: Entries): Promise<void> {
  const body = JSON.stringify([...entries]);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = path.join(directory, `${fileName}.${randomUUID()}`);
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(`${checksum(body)}\n${body}`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path.join(directory, fileName));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function checksum(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}

function readEntry(value: unknown): [string, readonly SummaryStatement[]] {
  const [key, statements] = listOf(value);
  return [textOf(key), listOf(statements).map(readStatement)];
}

function readStatement(value: unknown): SummaryStatement {
  const fields = fieldsOf(value);
  return { text: textOf(fields.get("text")), citations: listOf(fields.get("citations")).map(readCitation) };
}

function readCitation(value: unknown): Citation {
  const fields = fieldsOf(value);
  const line = fields.get("line");
  if (typeof line !== "number" || !Number.isInteger(line) || line < 1) throw new TypeError("a line is a number from 1");
  return {
    path: textOf(fields.get("path")),
    line,
    verified: fields.get("verified") === true,
    stale: fields.get("stale") === true,
    quote: textOf(fields.get("quote")),
  };
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError("a list was expected");
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("a text was expected");
  return value;
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null) throw new TypeError("an object was expected");
  return new Map<string, unknown>(Object.entries(value));
}
