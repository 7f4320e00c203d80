/**
 * What a search is calibrated on: long real code, packed as the product packs a repository, and retrieval samples (RULER's
 * synthetic tasks) with their question behind them. Neither from the packages that evaluations ask about.
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { drawFiles, type HeldOut, heldOutPackages } from "../eval/held-out.ts";
import { readHaystack, toFiles } from "../eval/haystack.ts";
import { Random } from "../eval/random.ts";
import { fitTo, withFolder } from "../eval/repository-folder.ts";
import { rulerTasks } from "../eval/ruler.ts";
import type { TextFile } from "../eval/sample.ts";
import { Failure } from "../failure/failure.ts";
import { encodeQuestion, packRepository, type PromptModel } from "../prompt/index.ts";
import { scanRepository } from "../repository/index.ts";

export interface CalibrationText {
  readonly name: string;
  /** Null when there is too little text after all: files that the product leaves out do not count. */
  make(): Promise<Uint32Array | null>;
}

export interface TextSource {
  /** The installation's folder. */
  readonly root: string;
  readonly model: PromptModel;
  readonly corpus: string | undefined;
  readonly length: number;
  readonly seed: number;
}

const code = /(?<!\.min|\.d)\.(?:[cm]?[jt]sx?|py|h|hpp|c|cc|cpp|cu|rs|go|java)$/;
const retrievalTasks = [
  "niah-multikey-3",
  "niah-multivalue",
  "niah-multikey-2",
  "variable-tracking",
  "niah-single-2",
  "frequent-words",
];
/** A text with less than this share of its length says little about long ones. */
const leastShare = 0.75;
/** Code has some 3.3 bytes a token. */
const bytesPerToken = 3.3;

/** Code first: as many texts as could be wanted, of which the caller takes those that come out long enough. */
export async function codeTexts(source: TextSource): Promise<CalibrationText[]> {
  const places = await findCode(source);
  if (places.length === 0) {
    const where = source.corpus ?? path.join(source.root, "node_modules");
    const message = `There is too little code for ${String(source.length)} tokens in ${where}; give --corpus, or a shorter --length.`;
    throw new Failure("empty-repository", message);
  }
  const order = new Random(source.seed).shuffle(places);
  // Again and again over the places: another draw of the files of a large repository is another text.
  return Array.from({ length: 4 * Math.max(order.length, 16) }, (_, index): CalibrationText => {
    const place = order[index % order.length] ?? places[0];
    const draw = Math.floor(index / order.length);
    return {
      name: `${place?.name ?? ""}${draw === 0 ? "" : `, draw ${String(draw + 1)}`}`,
      make: () => (place === undefined ? Promise.resolve(null) : packCode(source, place, draw)),
    };
  });
}

/** Of the packages that training and calibration never see. */
export function heldOutTexts(source: TextSource, draws: number): CalibrationText[] {
  return heldOutPackages.flatMap((place) =>
    Array.from({ length: draws }, (_, draw): CalibrationText => ({
      name: `${place.name}${draw === 0 ? "" : `, draw ${String(draw + 1)}`}`,
      make: () => packCode(source, place, draw),
    })),
  );
}

export function retrievalTexts(source: TextSource, count: number): CalibrationText[] {
  return Array.from({ length: count }, (_, index): CalibrationText => {
    const name = retrievalTasks[index % retrievalTasks.length] ?? "";
    const draw = Math.floor(index / retrievalTasks.length);
    return {
      name: `${name}${draw === 0 ? "" : `, draw ${String(draw + 1)}`}`,
      make: () => packRetrieval(source, name, draw),
    };
  });
}

async function packCode(source: TextSource, place: HeldOut, draw: number): Promise<Uint32Array | null> {
  const random = new Random(source.seed * 1009 + draw);
  const files = await drawFiles(source.root, place, source.length, random);
  const tokens = await pack(source, files).catch((error: unknown) => {
    // Generated and minified files only.
    if (error instanceof Failure && error.code === "empty-repository") return null;
    throw error;
  });
  return tokens !== null && tokens.length >= leastShare * source.length ? tokens : null;
}

async function packRetrieval(source: TextSource, name: string, draw: number): Promise<Uint32Array | null> {
  const { root, model, length, seed } = source;
  const task = rulerTasks.find((one) => one.name === name);
  if (task === undefined) throw new Error(`RULER's task ${name} is gone`);
  const essay = await readHaystack(path.join(root, "node_modules"));
  const reserved = Math.min(512, Math.floor(length / 8));
  const made = await fitTo(length - reserved, model, (size) => {
    const { lines, question } = task.make(size, new Random(seed * 1013 + draw), essay);
    return { files: toFiles(lines), question };
  });
  const context = await pack(source, made.files);
  const question = await encodeQuestion(model, made.question.text);
  const tokens = new Uint32Array(context.length + question.length);
  tokens.set(context);
  tokens.set(question, context.length);
  return tokens.length <= length ? tokens : null;
}

async function pack({ model, length }: TextSource, files: readonly TextFile[]): Promise<Uint32Array> {
  return withFolder(files, async (folder) => {
    const { tokens } = await packRepository(await scanRepository(folder), model, { budgetTokens: length });
    return tokens;
  });
}

/** Repositories below the corpus folder with enough code; the folder itself when none of them has. */
async function findCode({ root, corpus, length }: TextSource): Promise<HeldOut[]> {
  const folder = path.resolve(corpus ?? path.join(root, "node_modules"));
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() !== true) throw new Failure("no-such-folder", `There is no folder ${folder}.`);
  const names: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name.startsWith(".")) continue;
    // A scope is a folder of packages.
    if (corpus === undefined && entry.name.startsWith("@")) {
      for (const name of await readdir(path.join(folder, entry.name))) names.push(`${entry.name}/${name}`);
    } else names.push(entry.name);
  }
  const held = corpus === undefined ? heldOutNames() : new Set<string>();
  const places: HeldOut[] = [];
  for (const name of names.sort()) {
    const place = { name, folder: path.join(folder, name), extension: code };
    if (!held.has(name) && (await hasCode(place, length))) places.push(place);
  }
  const whole = { name: path.basename(folder), folder, extension: code };
  return places.length === 0 && corpus !== undefined && (await hasCode(whole, length)) ? [whole] : places;
}

/** Of installed packages. */
function heldOutNames(): Set<string> {
  return new Set(heldOutPackages.flatMap(({ folder }) => /^node_modules\/([^/]+)/.exec(folder)?.[1] ?? []));
}

async function hasCode({ folder, extension }: HeldOut, length: number): Promise<boolean> {
  let left = leastShare * length * bytesPerToken;
  for (const name of await readdir(folder, { recursive: true })) {
    if (!extension.test(name)) continue;
    const { size } = await stat(path.join(folder, name));
    // A file longer than the text is never drawn.
    if (size < length * bytesPerToken) left -= size;
    if (left <= 0) return true;
  }
  return false;
}
