/** A model folder with a real tokenizer of one token per byte, and a repository to ask about. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const golden = fileURLToPath(new URL("../golden/smollm3", import.meta.url));
const special = ["<|pad|>", "<|bos|>", "<|eos|>", "<|question|>", "<|answer|>"];

const template =
  "{% for m in messages %}{% if m['role'] == 'system' %}<|bos|>{{ m['content'] }}" +
  "{% elif m['role'] == 'user' %}<|question|>{{ m['content'] }}{% else %}<|answer|>{{ m['content'] }}<|eos|>{% endif %}" +
  "{% endfor %}{% if add_generation_prompt %}<|answer|>{% endif %}";

/** The letters by which byte-level BPE writes bytes: printable ones stand for themselves (GPT-2's table). */
function byteLetters(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/** The first id of a byte: byte b is token `firstByteId + b`. */
export const firstByteId = special.length;

/**
 * Fits the golden model's 320 tokens, whose weights and config it takes: answers are nonsense, but real.
 *
 * @param maxContextTokens what its config.json claims; default: what the golden one says
 */
export function writeTinyModel(folder: string, maxContextTokens?: number): string {
  mkdirSync(folder, { recursive: true });
  const tokens = [...special, ...byteLetters()];
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
    },
  };
  const config = { bos_token: "<|bos|>", eos_token: "<|eos|>", chat_template: template };
  writeFileSync(path.join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(path.join(folder, "tokenizer_config.json"), JSON.stringify(config));
  for (const name of ["config.json", "model.safetensors"])
    copyFileSync(path.join(golden, name), path.join(folder, name));
  if (maxContextTokens !== undefined) {
    const claims = JSON.parse(readFileSync(path.join(golden, "config.json"), "utf8")) as object;
    const changed = { ...claims, max_position_embeddings: maxContextTokens };
    writeFileSync(path.join(folder, "config.json"), JSON.stringify(changed));
  }
  return folder;
}

/** The ids of a text in this tokenizer. */
export function bytesOf(text: string): number[] {
  return [...Buffer.from(text)].map((byte) => firstByteId + byte);
}

/** The text of ids, special tokens left out. */
export function textOf(ids: Iterable<number>): string {
  return Buffer.from([...ids].filter((id) => id >= firstByteId).map((id) => id - firstByteId)).toString();
}

/** `files` source files of about `bytesEach` bytes; without git, so that their order is that of their paths. */
export function writeRepository(folder: string, files: number, bytesEach: number): string {
  mkdirSync(folder, { recursive: true });
  for (let file = 0; file < files; file++) {
    const name = `part${file.toString().padStart(3, "0")}`;
    const lines = [`export function ${name}() {`];
    while (lines.join("\n").length < bytesEach) lines.push(`  // line ${lines.length.toString()} of ${name}`);
    writeFileSync(path.join(folder, `${name}.ts`), [...lines, "}", ""].join("\n"));
  }
  return folder;
}
