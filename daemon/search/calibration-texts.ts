/**
 * What a search is calibrated on: long real code, packed as the product packs a repository, and retrieval samples with their
 * question behind them: where something is defined in such code, and RULER's synthetic tasks in turn. Nothing of it is from the
 * packages that evaluations ask about.
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { drawFiles, type HeldOut, heldOutPackages } from "../eval/held-out.ts";
import { type Haystack, readHaystack, toFiles } from "../eval/haystack.ts";
import { Random } from "../eval/random.ts";
import { fitTo, withFolder } from "../eval/repository-folder.ts";
import { definitionQuestions } from "../eval/repository-tasks.ts";
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
/** Draws for questions begin here: not the draws of texts without one. */
const firstQuestionDraw = 500;
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
const largestFileBytes = 1 << 17;
/** Drawn by their bytes; the pack leaves out what is too much. */
const drawnShare = 1.25;
/** Code has some 3.3 bytes a token. */
const bytesPerToken = 3.3;

export interface CalibrationTexts {
  readonly code: readonly CalibrationText[];
  readonly retrieval: readonly CalibrationText[];
}

/** More than `count` of each, since some may come out too short. Throws `no-such-folder`, `empty-repository`. */
export async function calibrationTexts(source: TextSource, count: number): Promise<CalibrationTexts> {
  const places = await findCode(source);
  const [first] = places;
  if (first === undefined) {
    const where = source.corpus ?? path.join(source.root, "node_modules");
    const message = `There is too little code for ${String(source.length)} tokens in ${where}; give --corpus, or a shorter --length.`;
    throw new Failure("empty-repository", message);
  }
  // Round and round: another draw of the files of a large repository is another text.
  const placeOf = (index: number): HeldOut => places[index % places.length] ?? first;
  const drawOf = (index: number): number => Math.floor(index / places.length);
  const spare = Math.max(4 * count, 2 * places.length);
  const numbers = Array.from({ length: spare }, (_, index) => index);
  let essay: Promise<Haystack> | null = null; // thousands of files, read when the first text is made
  return {
    code: numbers.map((index) => ({
      name: nameOf(placeOf(index).name, drawOf(index)),
      make: () => packCode(source, placeOf(index), drawOf(index)),
    })),
    retrieval: numbers.map((index) => {
      const round = Math.floor(index / 2);
      if (index % 2 === 0) {
        // From the other end than code: other repositories as long as there are any.
        const place = places.at(-1 - (round % places.length)) ?? first;
        const draw = firstQuestionDraw + drawOf(round);
        return { name: `definition in ${place.name}`, make: () => packDefinition(source, place, draw) };
      }
      const task = retrievalTasks[round % retrievalTasks.length] ?? "";
      const draw = Math.floor(round / retrievalTasks.length);
      return {
        name: nameOf(task, draw),
        make: async () => {
          essay ??= readHaystack(path.join(source.root, "node_modules"));
          return packRetrieval(source, await essay, task, draw);
        },
      };
    }),
  };
}

/** Of the packages that training and calibration never see. */
export function heldOutTexts(source: TextSource, draws: number): CalibrationText[] {
  return heldOutPackages.flatMap((place) =>
    Array.from({ length: draws }, (_, draw): CalibrationText => ({
      name: nameOf(place.name, draw),
      make: () => packCode(source, place, draw),
    })),
  );
}

function nameOf(place: string, draw: number): string {
  return draw === 0 ? place : `${place}, draw ${String(draw + 1)}`;
}

async function packCode(source: TextSource, place: HeldOut, draw: number): Promise<Uint32Array | null> {
  const random = new Random(source.seed * 1009 + draw);
  const files = await drawFiles(source.root, place, drawnShare * source.length, random);
  return packLong(source, files);
}

async function packDefinition(source: TextSource, place: HeldOut, draw: number): Promise<Uint32Array | null> {
  const random = new Random(source.seed * 1009 + draw);
  // So few that none is left out: the question is about what is there.
  const files = await drawFiles(source.root, place, source.length - questionTokens(source), random);
  const [question] = definitionQuestions(files, 1, random);
  return question === undefined ? null : packLong(source, files, question.text);
}

/** Null when it is too short. */
async function packLong(
  source: TextSource,
  files: readonly TextFile[],
  question?: string,
): Promise<Uint32Array | null> {
  const tokens = await pack(source, files, question).catch((error: unknown) => {
    // Nothing but generated and minified files, or but one that is too long.
    if (error instanceof Failure && (error.code === "empty-repository" || error.code === "over-budget")) return null;
    throw error;
  });
  return tokens !== null && tokens.length >= leastShare * source.length ? tokens : null;
}

/** What a text leaves for the question behind it. */
function questionTokens({ length }: TextSource): number {
  return Math.min(512, Math.floor(length / 8));
}

async function packRetrieval(
  source: TextSource,
  essay: Haystack,
  name: string,
  draw: number,
): Promise<Uint32Array | null> {
  const { model, length, seed } = source;
  const task = rulerTasks.find((one) => one.name === name);
  if (task === undefined) throw new Error(`RULER's task ${name} is gone`);
  const made = await fitTo(length - questionTokens(source), model, (size) => {
    const { lines, question } = task.make(size, new Random(seed * 1013 + draw), essay);
    return { files: toFiles(lines), question };
  });
  return pack(source, made.files, made.question.text);
}

async function pack(source: TextSource, files: readonly TextFile[], question?: string): Promise<Uint32Array> {
  const { model, length } = source;
  const asked = question === undefined ? new Uint32Array() : await encodeQuestion(model, question);
  return withFolder(files, async (folder) => {
    const packed = await packRepository(await scanRepository(folder), model, { budgetTokens: length - asked.length });
    return Uint32Array.from([...packed.tokens, ...asked]);
  });
}

/** Repositories below the corpus folder, those much longer than a text first; or the folder itself. In a random order. */
async function findCode({ root, corpus, length, seed }: TextSource): Promise<HeldOut[]> {
  const folder = path.resolve(corpus ?? path.join(root, "node_modules"));
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() !== true) throw new Failure("no-such-folder", `There is no folder ${folder}.`);
  const names = await (corpus === undefined ? packageNames(folder) : foldersIn(folder));
  const random = new Random(seed);
  const longest: HeldOut[] = [];
  const long: HeldOut[] = [];
  for (const name of random.shuffle(names.sort())) {
    const place = { name, folder: path.join(folder, name), extension: code };
    const bytes = await codeBytes(place);
    if (bytes > 2 * length * bytesPerToken) longest.push(place);
    else if (bytes > leastShare * length * bytesPerToken) long.push(place);
  }
  const whole = { name: path.basename(folder), folder, extension: code };
  const places = [...longest, ...long];
  return places.length === 0 && corpus !== undefined && (await codeBytes(whole)) > 0 ? [whole] : places;
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith(".")).map(({ name }) => name);
}

/** Of an installation, without those that are held out; a scope is a folder of packages. */
async function packageNames(folder: string): Promise<string[]> {
  const held = new Set(heldOutPackages.map((place) => /^node_modules\/([^/]+)/.exec(place.folder)?.[1]));
  const names: string[] = [];
  for (const name of await foldersIn(folder)) {
    if (!name.startsWith("@")) names.push(name);
    else names.push(...(await foldersIn(path.join(folder, name))).map((inScope) => `${name}/${inScope}`));
  }
  return names.filter((name) => !held.has(name));
}

/** One huge file, a bundle mostly, is no repository: such files do not count. */
async function codeBytes({ folder, extension }: HeldOut): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    if (!extension.test(name)) continue;
    const { size } = await stat(path.join(folder, name));
    if (size < largestFileBytes) bytes += size;
  }
  return bytes;
}
