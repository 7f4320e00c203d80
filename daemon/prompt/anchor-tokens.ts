import { Failure } from "../failure/failure.ts";
import type { PromptProfile } from "./profile.ts";
import type { PromptTokenizer } from "./tokenizer.ts";

/** Where a block of lines stands: the file's place in the pack, and the block's place in the file, both from 0. */
export interface Anchor {
  readonly fileId: number;
  readonly block: number;
}

/** The kinds of digit tokens, in the order in which an anchor has them: file high, file low, block high, block low. */
const digitKinds = ["F", "f", "L", "l"] as const;
export const anchorLength = digitKinds.length;

export interface AnchorTokenIds {
  readonly file: number;
  readonly text: number;
  readonly absent: number | undefined;
  /** [kind][digit], kinds in an anchor's order */
  readonly digits: readonly (readonly number[])[];
  /** The reverse: a token id to its place in an anchor (0 to 3) and its digit. */
  readonly places: ReadonlyMap<number, { readonly place: number; readonly digit: number }>;
}

/** @throws Failure `model-file-invalid` when the tokenizer lacks a mark that the profile promises */
export function anchorTokenIds(modelDir: string, tokenizer: PromptTokenizer, profile: PromptProfile): AnchorTokenIds {
  const idOf = (token: string): number => {
    const id = tokenizer.specialId(token);
    if (id !== undefined) return id;
    const message = `tokenizer.json in ${modelDir} has no special token ${token}, which longsight.json promises.`;
    throw new Failure("model-file-invalid", message);
  };
  const places = new Map<number, { place: number; digit: number }>();
  const digits = digitKinds.map((kind, place) =>
    Array.from({ length: profile.digits }, (_, digit) => {
      const id = idOf(`<|${kind}${digit}|>`);
      places.set(id, { place, digit });
      return id;
    }),
  );
  const absent = profile.absentToken === undefined ? undefined : idOf(profile.absentToken);
  return { file: idOf("<|file|>"), text: idOf("<|text|>"), absent, digits, places };
}

/** How many files, and how many blocks of a file, two digits can count. */
export function anchorCapacity(profile: PromptProfile): number {
  return profile.digits * profile.digits;
}

/** The token ids of an anchor, most significant digits first. */
export function encodeAnchor(ids: AnchorTokenIds, { fileId, block }: Anchor): number[] {
  return [...digitPair(ids, 0, fileId), ...digitPair(ids, 2, block)];
}

/** The two tokens of a file id, as they stand in a file's header. */
export function encodeFileId(ids: AnchorTokenIds, fileId: number): number[] {
  return digitPair(ids, 0, fileId);
}

function digitPair(ids: AnchorTokenIds, place: number, value: number): number[] {
  const high = ids.digits[place];
  const low = ids.digits[place + 1];
  const radix = high?.length ?? 0;
  const highId = high?.[Math.floor(value / radix)];
  const lowId = low?.[value % radix];
  if (highId === undefined || lowId === undefined) {
    throw new RangeError(`An anchor counts to ${radix * radix - 1}; ${value} is beyond.`);
  }
  return [highId, lowId];
}

/** Reads anchors out of a stream of ids; a half one that something else interrupts is dropped. */
export class AnchorDecoder {
  readonly #ids: AnchorTokenIds;
  #digits: number[] = [];

  constructor(ids: AnchorTokenIds) {
    this.#ids = ids;
  }

  /** "partial": the id belongs to an anchor that is not complete; null: it belongs to none. */
  push(id: number): Anchor | "partial" | null {
    const entry = this.#ids.places.get(id);
    if (entry === undefined) {
      this.#digits = [];
      return null;
    }
    if (entry.place !== this.#digits.length) this.#digits = [];
    if (entry.place !== this.#digits.length) return "partial";
    this.#digits.push(entry.digit);
    const [fileHigh, fileLow, blockHigh, blockLow] = this.#digits;
    if (fileHigh === undefined || fileLow === undefined || blockHigh === undefined || blockLow === undefined) {
      return "partial";
    }
    this.#digits = [];
    const radix = this.#ids.digits[0]?.length ?? 0;
    return { fileId: fileHigh * radix + fileLow, block: blockHigh * radix + blockLow };
  }
}
