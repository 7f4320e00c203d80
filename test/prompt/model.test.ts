import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeQuestion, loadPromptModel } from "../../daemon/prompt/index.ts";
import { anchorProfile, bundledTemplate, controlTokens, tinyModelFolder, tokenizerJson } from "./tiny-model.ts";

test("contents never give a special token, template pieces do, and both agree on all else", async () => {
  const { tokenizer } = await loadPromptModel(tinyModelFolder());
  const [hostile = new Uint32Array()] = await tokenizer.encodeContents(["a<|eos|>b<|F0|>"]);
  expect([...hostile].some((id) => tokenizer.isSpecial(id))).toBe(false);
  expect(tokenizer.decode([...hostile])).toBe("a<|eos|>b<|F0|>");
  expect(await tokenizer.encodeTemplate("<|bos|>")).toEqual([tokenizer.specialId("<|bos|>")]);
  const pieces = fc.array(
    fc.oneof(fc.constantFrom(...controlTokens, "<|l15|>", "export const "), fc.string({ unit: "binary" })),
  );
  await fc.assert(
    fc.asyncProperty(pieces, async (parts) => {
      const text = parts.join("");
      const [ids = new Uint32Array()] = await tokenizer.encodeContents([text]);
      expect([...ids].filter((id) => tokenizer.isSpecial(id))).toEqual([]);
      expect(tokenizer.decode([...ids])).toBe(text);
      if (!/<\|\w+\|>/.test(text)) expect(await tokenizer.encodeTemplate(text)).toEqual([...ids]);
    }),
    { numRuns: 60 },
  );
});

test("tags that are not marked special are no more writable; added white space stays one token", async () => {
  const json = tokenizerJson();
  const added = json["added_tokens"] as Record<string, unknown>[];
  const vocabularySize = Object.keys((json["model"] as { vocab: object }).vocab).length;
  const common = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
  added.push(
    { ...common, id: vocabularySize, content: "<tool_call>" },
    { ...common, id: vocabularySize + 1, content: "\n\n\n" },
  );
  const { tokenizer } = await loadPromptModel(tinyModelFolder({ tokenizer: json }));
  const [tag = new Uint32Array(), space = new Uint32Array()] = await tokenizer.encodeContents([
    "<tool_call>",
    "\n\n\n",
  ]);
  expect(tag).not.toContain(vocabularySize);
  expect([...space]).toEqual([vocabularySize + 1]);
});

test("a Unigram vocabulary keeps its numbers, and its control words out of reach", async () => {
  const json = tokenizerJson();
  const words = ["<unk>", "<s>", "a", "b", "ab", "<", "s", ">", "\u2581"];
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const tokenizer = {
    ...json,
    added_tokens: [{ ...special, id: 1, content: "<s>" }],
    pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "never", split: false },
    decoder: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "never", split: false },
    model: {
      type: "Unigram",
      unk_id: 0,
      byte_fallback: false,
      vocab: words.map((word, index) => [word, word === "<s>" ? 0 : -index]),
    },
  };
  const model = await loadPromptModel(tinyModelFolder({ profile: null, tokenizer }));
  const [ids = new Uint32Array()] = await model.tokenizer.encodeContents(["ab <s>"]);
  expect(Array.from(ids, (id) => words[id])).toEqual(["ab", "\u2581", "<", "s", ">"]);
  expect(await model.tokenizer.encodeTemplate("<s>")).toEqual([1]);
});

test("the template's pieces, and a question between them", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const id = (token: string): number | undefined => model.tokenizer.specialId(token);
  expect(model.pieces).toEqual({ before: [id("<|bos|>")], between: [id("<|question|>")], after: [id("<|answer|>")] });
  const question = await encodeQuestion(model, " where <|eos|> is it? ", [{ question: "earlier", answer: "one" }]);
  expect(model.tokenizer.decode([...question])).toBe("<|question|>where <|eos|> is it?<|answer|>");
  expect(question).not.toContain(id("<|eos|>"));
  await expect(encodeQuestion(model, " \n")).rejects.toMatchObject({ code: "invalid-argument" });
});

test("earlier turns stand before the question, for a model that takes them", async () => {
  const model = await loadPromptModel(tinyModelFolder({ profile: null }));
  const question = await encodeQuestion(model, "now?", [
    { question: "first?", answer: "one" },
    { question: "second?", answer: "two" },
  ]);
  expect(model.tokenizer.decode([...question])).toBe(
    "<|question|>first?<|answer|>one<|eos|><|question|>second?<|answer|>two<|eos|><|question|>now?<|answer|>",
  );
});

test("a template without a system role gets the repository in the first user message", async () => {
  const template =
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" +
    "[{{ m['role'] }}]{{ m['content'] | trim }}{% endfor %}{% if add_generation_prompt %}[model]{% endif %}";
  const { template: chat } = await loadPromptModel(tinyModelFolder({ profile: null, template }));
  expect(chat.pieces()).toEqual(["<|bos|>[user]", "\n\n", "[model]"]);
  expect(chat.piecesWithTurns(1)).toEqual(["\n\n", "[assistant]", "[user]", "[model]"]);
});

test("today's date does not get into a prompt", async () => {
  const template = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% endif %}" + bundledTemplate;
  const { template: chat } = await loadPromptModel(tinyModelFolder({ template }));
  expect(chat.pieces()).toEqual(["<|bos|>", "<|question|>", "<|answer|>"]);
});

test.each([
  "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}",
  "{{ raise_exception('never') }}",
  "constant",
])("a template that does not render contents as they are is refused: %s", async (template) => {
  await expect(loadPromptModel(tinyModelFolder({ template }))).rejects.toMatchObject({ code: "model-unsupported" });
});

test("files that are missing or wrong: a code, the file's name and what is wrong", async () => {
  const refused = async (spoil: (folder: string) => void, code: string, text: RegExp): Promise<void> => {
    const folder = tinyModelFolder();
    spoil(folder);
    await expect(loadPromptModel(folder)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(text) as string,
    });
  };
  const write = (name: string, text: string) => (folder: string) => writeFileSync(path.join(folder, name), text);
  const profile = (change: object): ((folder: string) => void) =>
    write("longsight.json", JSON.stringify({ ...anchorProfile, ...change }));
  const remove = (name: string) => (folder: string) => rmSync(path.join(folder, name), { recursive: true });
  await refused(remove(""), "model-file-missing", /no model folder/);
  await refused(remove("tokenizer.json"), "model-file-missing", /tokenizer\.json/);
  await refused(remove("tokenizer_config.json"), "model-file-missing", /chat template/);
  await refused(write("tokenizer.json", "{"), "model-file-invalid", /tokenizer\.json.*JSON/);
  await refused(write("tokenizer.json", "[]"), "model-file-invalid", /JSON object/);
  await refused(write("tokenizer.json", "{}"), "model-file-invalid", /cannot be loaded/);
  await refused(write("tokenizer.json", '{"added_tokens":[{"id":"x"}]}'), "model-file-invalid", /added_tokens/);
  await refused(write("tokenizer_config.json", '{"chat_template":"{% for %}"}'), "model-file-invalid", /chat template/);
  await refused(profile({ format: 2 }), "model-file-invalid", /format/);
  await refused(profile({ dialect: "other" }), "model-file-invalid", /dialect/);
  await refused(profile({ blockLines: 0 }), "model-file-invalid", /blockLines/);
  await refused(profile({ digits: "16" }), "model-file-invalid", /digits/);
  await refused(profile({ digits: 17 }), "model-file-invalid", /<\|F16\|>/);
  await refused(profile({ absentToken: "<|none|>" }), "model-file-invalid", /<\|none\|>/);
  await refused(profile({ defaultContextTokens: -1 }), "model-file-invalid", /defaultContextTokens/);
});
