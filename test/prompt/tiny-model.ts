/**
 * A model folder as packing needs it: a real byte-level BPE tokenizer with a few merges and the marks of dialect
 * `anchor-tokens`, a chat template, and longsight.json. No weights: packing never opens them.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { byteLevelAlphabet } from "tokenizers";
import { onTestFinished } from "vitest";

const digits = 16;
export const controlTokens = [
  "<|pad|>",
  "<|bos|>",
  "<|eos|>",
  "<|file|>",
  "<|text|>",
  "<|question|>",
  "<|answer|>",
  "<|absent|>",
];
const anchorTokens = ["F", "f", "L", "l"].flatMap((kind) =>
  Array.from({ length: digits }, (_, digit) => `<|${kind}${digit.toString()}|>`),
);
const merges = ["e x", "p o", "r t", "po rt", "ex port", "Ġ Ġ", "c o", "n s", "co ns", "cons t", "Ġ ="];

export const bundledTemplate =
  "{% for m in messages %}{% if m['role'] == 'system' %}<|bos|>{{ m['content'] }}" +
  "{% elif m['role'] == 'user' %}<|question|>{{ m['content'] }}{% else %}<|answer|>{{ m['content'] }}<|eos|>{% endif %}" +
  "{% endfor %}{% if add_generation_prompt %}<|answer|>{% endif %}";

/** Two digits of 16: 256 files of 256 blocks. */
export const anchorProfile = {
  format: 1,
  dialect: "anchor-tokens",
  defaultContextTokens: 4096,
  blockLines: 8,
  digits,
  absentToken: "<|absent|>",
  history: false,
};

export function tokenizerJson(): Record<string, unknown> {
  const tokens = [...controlTokens, ...anchorTokens];
  const words = [...byteLevelAlphabet()].sort().concat(merges.map((merge) => merge.replace(" ", "")));
  return {
    version: "1.0",
    truncation: { max_length: 4, strategy: "LongestFirst", stride: 0, direction: "Right" },
    padding: null,
    added_tokens: tokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries([...tokens, ...words].map((token, id) => [token, id])),
      merges,
    },
  };
}

export interface TinyModelOptions {
  /** null: no longsight.json, hence dialect `text-anchors`. */
  readonly profile?: Record<string, unknown> | null;
  readonly template?: string;
  readonly tokenizer?: Record<string, unknown>;
}

export function tinyModelFolder(options: TinyModelOptions = {}): string {
  const folder = mkdtempSync(path.join(tmpdir(), "longsight-model-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const write = (name: string, value: unknown): void => writeFileSync(path.join(folder, name), JSON.stringify(value));
  const config = {
    bos_token: "<|bos|>",
    eos_token: { content: "<|eos|>" },
    chat_template: options.template ?? bundledTemplate,
  };
  write("tokenizer.json", options.tokenizer ?? tokenizerJson());
  write("tokenizer_config.json", config);
  if (options.profile !== null) write("longsight.json", options.profile ?? anchorProfile);
  return folder;
}
