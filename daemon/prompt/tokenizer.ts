import { createHash, randomUUID } from "node:crypto";
import { Tokenizer } from "tokenizers";
import { Failure } from "../failure/failure.ts";
import { isJsonObject, parseModelJson, readRequiredModelFile, type JsonObject } from "./model-files.ts";

/** A model's tokenizer: file text and questions never become special tokens, template pieces may. */
export interface PromptTokenizer {
  /** SHA-256 of tokenizer.json, in hex. */
  readonly identity: string;
  /** The ids of each text, special tokens not recognised. */
  encodeContents(texts: readonly string[]): Promise<Uint32Array[]>;
  /** The ids of a template piece, special tokens recognised. */
  encodeTemplate(text: string): Promise<number[]>;
  /** The text of some ids, special tokens as they are written; an id out of range gives nothing. */
  decode(ids: readonly number[]): string;
  /** Undefined when the tokenizer has no such added token. */
  specialId(token: string): number | undefined;
  isSpecial(id: number): boolean;
}

const fileName = "tokenizer.json";

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/**
 * Two tokenizers from one file: as it is, for template pieces, and without its control tokens, for contents. The Node
 * binding has no switch for the latter (`encode_special_tokens` of the Rust and Python libraries).
 *
 * @throws Failure `model-file-missing`, `model-file-invalid`
 */
export async function loadTokenizer(modelDir: string): Promise<PromptTokenizer> {
  const text = await readRequiredModelFile(modelDir, fileName);
  const json = parseModelJson(modelDir, fileName, text);
  const added = addedTokens(modelDir, json);
  // A model folder may ask for cut or padded texts, which a prompt must never be.
  const plain = { ...json, truncation: null, padding: null };
  try {
    const control = added.filter(isControlToken);
    const forTemplates = Tokenizer.fromString(JSON.stringify(plain));
    const forContents = Tokenizer.fromString(JSON.stringify(withoutControlTokens(plain, added)));
    const identity = createHash("sha256").update(text).digest("hex");
    return new TwoTokenizers(identity, forTemplates, forContents, control);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("model-file-invalid", `${fileName} in ${modelDir} cannot be loaded: ${reason}`, { cause });
  }
}

/**
 * Tokens that steer a model rather than write text: those marked special, and those that are written like a mark although
 * they are not (`<tool_call>` and `<think>` of Qwen). Runs of white space and words that were added for their length stay.
 */
function isControlToken({ special, content }: AddedToken): boolean {
  return special || /^<[^\s<>]+>$|^\[[A-Z_/]+\]$/.test(content);
}

function addedTokens(modelDir: string, json: JsonObject): AddedToken[] {
  const list = json["added_tokens"] ?? [];
  const invalid = new Failure("model-file-invalid", `${fileName} in ${modelDir} has malformed "added_tokens".`);
  if (!Array.isArray(list)) throw invalid;
  return list.map((entry: unknown) => {
    if (!isJsonObject(entry)) throw invalid;
    const { id, content, special } = entry;
    if (typeof id !== "number" || !Number.isInteger(id) || typeof content !== "string") throw invalid;
    return { id, content, special: special === true };
  });
}

/**
 * Takes control tokens out of the added ones and out of the vocabulary, where a word of file text could meet one by its
 * spelling. The library numbers added tokens anew unless the vocabulary has them, so those that stay are entered there.
 */
function withoutControlTokens(json: JsonObject, added: readonly AddedToken[]): JsonObject {
  const model = json["model"];
  if (!isJsonObject(model)) return json;
  const list: unknown[] = Array.isArray(json["added_tokens"]) ? json["added_tokens"] : [];
  const dropped = new Set(added.filter(isControlToken).map((token) => token.content));
  if (!isJsonObject(model["vocab"])) {
    // Unigram: a word's id is its place in the list, so a control token gives its place to a word that no text has; and
    // further tokens have no place, so that contents do without them.
    const words: unknown[] = Array.isArray(model["vocab"]) ? model["vocab"] : [];
    const vocab = words.map((entry) =>
      Array.isArray(entry) && dropped.has(String(entry[0])) ? [randomUUID(), entry[1]] : entry,
    );
    return { ...json, added_tokens: [], model: { ...model, vocab } };
  }
  const staying = added.filter((token) => !dropped.has(token.content)).map(({ content, id }) => [content, id] as const);
  const words = Object.entries(model["vocab"]).filter(([word]) => !dropped.has(word) || word === model["unk_token"]);
  return {
    ...json,
    added_tokens: list.filter((entry) => isJsonObject(entry) && !dropped.has(String(entry["content"]))),
    model: { ...model, vocab: Object.fromEntries([...words, ...staying]) },
  };
}

class TwoTokenizers implements PromptTokenizer {
  readonly identity: string;
  readonly #forTemplates: Tokenizer;
  readonly #forContents: Tokenizer;
  readonly #decoder: ReturnType<Tokenizer["getDecoder"]>;
  readonly #specialIds: ReadonlyMap<string, number>;
  readonly #special: ReadonlySet<number>;

  constructor(identity: string, forTemplates: Tokenizer, forContents: Tokenizer, control: readonly AddedToken[]) {
    this.identity = identity;
    this.#forTemplates = forTemplates;
    this.#forContents = forContents;
    this.#decoder = forTemplates.getDecoder();
    this.#specialIds = new Map(control.map(({ content, id }) => [content, id]));
    this.#special = new Set(control.map(({ id }) => id));
  }

  async encodeContents(texts: readonly string[]): Promise<Uint32Array[]> {
    if (texts.length === 0) return [];
    const encodings = await this.#forContents.encodeBatch([...texts], { addSpecialTokens: false });
    return encodings.map((encoding) => Uint32Array.from(encoding.getIds()));
  }

  async encodeTemplate(text: string): Promise<number[]> {
    if (text === "") return [];
    const encoding = await this.#forTemplates.encode(text, null, { addSpecialTokens: false });
    return encoding.getIds();
  }

  decode(ids: readonly number[]): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = this.#forTemplates.idToToken(id);
      if (token !== null) tokens.push(token);
    }
    return this.#decoder ? this.#decoder.decode(tokens) : tokens.join(" ");
  }

  specialId(token: string): number | undefined {
    return this.#specialIds.get(token);
  }

  isSpecial(id: number): boolean {
    return this.#special.has(id);
  }
}
